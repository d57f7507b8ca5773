# Install rules and the package that find_package(aim) reads:
#   aim::codec   geometry and codec: Eigen and JSON headers, nothing else
#   aim::aim     every module that was built
# Two export sets, so that a user of the codec needs none of the libraries of the rest.
#
# Beside it what tools and programs need that no package of the system holds, so that the folder of
# this build and its Python environment may go: libraries of wheels in lib/aim, where they keep
# their places to one another (their RPATHs say how), the small model, recipes and example data in
# share/aim.
include(CMakePackageConfigHelpers)
set(AIM_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/aim)
set(AIM_LIGHT_MODULES base format geometry codec)

# LibTorch as in its wheel, and what it links of the wheels beside it; nothing of Python.
function(aim_install_torch)
  get_filename_component(wheels "${AIM_TORCH_ROOT}/.." ABSOLUTE)
  if(AIM_CUDA)  # whole, because some of it is opened by name while it runs
    install(DIRECTORY "${AIM_TORCH_ROOT}/lib/" DESTINATION ${AIM_RUNTIME_DIR}/torch/lib
      FILES_MATCHING PATTERN "*.so" PATTERN "*.so.*" PATTERN "libtorch_python.so" EXCLUDE)
    if(EXISTS "${wheels}/nvidia")
      install(DIRECTORY "${wheels}/nvidia/" DESTINATION ${AIM_RUNTIME_DIR}/nvidia
        FILES_MATCHING PATTERN "*.so" PATTERN "*.so.*" PATTERN "include" EXCLUDE)
    endif()
  else()
    file(GLOB libraries RELATIVE "${wheels}"
      "${AIM_TORCH_ROOT}/lib/libtorch_cpu.so" "${AIM_TORCH_ROOT}/lib/libc10.so"
      "${AIM_TORCH_ROOT}/lib/libgomp*.so*" "${wheels}/nvidia/*/lib/libcudart.so.*"
      "${wheels}/nvidia/*/lib/libcupti.so.*")
    foreach(library ${libraries})
      get_filename_component(folder "${library}" DIRECTORY)
      install(PROGRAMS "${wheels}/${library}" DESTINATION ${AIM_RUNTIME_DIR}/${folder})
    endforeach()
  endif()
  install(DIRECTORY "${AIM_TORCH_ROOT}/include" DESTINATION ${AIM_RUNTIME_DIR}/torch)
  aim_install_licences(torch nvidia)
endfunction()

# MuJoCo and, beside it, the robot's model: the simulator looks there first.
function(aim_install_mujoco)
  install(PROGRAMS "${AIM_MUJOCO_LIBRARY}" DESTINATION ${AIM_RUNTIME_DIR}/mujoco)
  install(DIRECTORY "${AIM_PANDA_DIR}" DESTINATION ${AIM_RUNTIME_DIR}/mujoco
    PATTERN "*.png" EXCLUDE)
  aim_install_licences(mujoco)
endfunction()

# Arrow and Parquet, which find each other beside themselves.
function(aim_install_arrow)
  install(PROGRAMS ${AIM_ARROW_LIBRARIES} DESTINATION ${AIM_RUNTIME_DIR}/pyarrow)
  aim_install_licences(pyarrow)
endfunction()

# The licences of wheels by the beginning of their names.
function(aim_install_licences)
  get_filename_component(wheels "${AIM_TORCH_ROOT}/.." ABSOLUTE)
  foreach(name ${ARGN})
    file(GLOB folders "${wheels}/${name}[-_]*.dist-info/licenses")
    foreach(folder ${folders})
      string(REGEX REPLACE "^.*/([^/-]*)-[^/]*/licenses$" "\\1" wheel "${folder}")
      install(DIRECTORY "${folder}/" DESTINATION ${CMAKE_INSTALL_DOCDIR}/licences/${wheel})
    endforeach()
  endforeach()
endfunction()

get_property(modules GLOBAL PROPERTY AIM_MODULES)
set(AIM_FULL_TARGETS "")
foreach(module ${modules})
  if(module IN_LIST AIM_LIGHT_MODULES)
    install(TARGETS aim_${module} EXPORT aimCodecTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  else()
    install(TARGETS aim_${module} EXPORT aimTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
  list(APPEND AIM_FULL_TARGETS aim::${module})
endforeach()
install(TARGETS aim_torch EXPORT aimTargets)
aim_install_torch()
if(AIM_MUJOCO)
  aim_install_mujoco()
endif()
if(NOT AIM_CORE_ONLY)
  aim_install_arrow()
endif()
if(AIM_HAS_CUDA_KERNELS)
  install(TARGETS aim_kernels_cuda aim_cudart EXPORT aimTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/assets/tiny ${CMAKE_SOURCE_DIR}/assets/example
  DESTINATION ${CMAKE_INSTALL_DATADIR}/aim/assets)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/configs ${CMAKE_SOURCE_DIR}/examples
  DESTINATION ${CMAKE_INSTALL_DATADIR}/aim)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/scripts/env DESTINATION ${CMAKE_INSTALL_DATADIR}/aim
  FILES_MATCHING PATTERN "*.py" PATTERN "*.sh")
install(DIRECTORY ${CMAKE_SOURCE_DIR}/python DESTINATION ${CMAKE_INSTALL_DATADIR}/aim
  FILES_MATCHING PATTERN "*.py" PATTERN "*.toml" PATTERN "*.egg-info" EXCLUDE)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/aim DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h")

install(EXPORT aimCodecTargets NAMESPACE aim:: DESTINATION ${AIM_PACKAGE_DIR})
install(EXPORT aimTargets NAMESPACE aim:: DESTINATION ${AIM_PACKAGE_DIR})
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/aimConfig.cmake.in
  ${CMAKE_BINARY_DIR}/aimConfig.cmake INSTALL_DESTINATION ${AIM_PACKAGE_DIR}
  PATH_VARS AIM_RUNTIME_DIR)
# Before 1.0 any minor version may change the interface.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/aimConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/aimConfig.cmake ${CMAKE_BINARY_DIR}/aimConfigVersion.cmake
  DESTINATION ${AIM_PACKAGE_DIR})
