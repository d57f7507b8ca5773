# Install rules and the package that find_package(aim) reads:
#   aim::codec   geometry and codec: Eigen and JSON headers, nothing else
#   aim::aim     every module that was built
# Two export sets, so that a user of the codec needs none of the libraries of the rest.
include(CMakePackageConfigHelpers)
set(AIM_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/aim)
set(AIM_LIGHT_MODULES base format geometry codec)

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
if(AIM_HAS_CUDA_KERNELS)
  install(TARGETS aim_kernels_cuda aim_cudart EXPORT aimTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/aim DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h")

install(EXPORT aimCodecTargets NAMESPACE aim:: DESTINATION ${AIM_PACKAGE_DIR})
install(EXPORT aimTargets NAMESPACE aim:: DESTINATION ${AIM_PACKAGE_DIR})
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/aimConfig.cmake.in
  ${CMAKE_BINARY_DIR}/aimConfig.cmake INSTALL_DESTINATION ${AIM_PACKAGE_DIR})
# Before 1.0 any minor version may change the interface.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/aimConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/aimConfig.cmake ${CMAKE_BINARY_DIR}/aimConfigVersion.cmake
  DESTINATION ${AIM_PACKAGE_DIR})
