# Third-party libraries. Those of the core build: LibTorch, Eigen and header-only libraries.
if(AIM_DEPS)  # before those of the system
  list(PREPEND CMAKE_PREFIX_PATH "${AIM_DEPS}")
endif()
find_package(Threads REQUIRED)
find_package(Eigen3 3.3 REQUIRED NO_MODULE)
find_package(nlohmann_json 3.7 REQUIRED)
find_package(tomlplusplus QUIET)
if(NOT tomlplusplus_FOUND)
  find_path(AIM_TOMLPLUSPLUS_INCLUDE toml++/toml.h REQUIRED)
  add_library(tomlplusplus::tomlplusplus INTERFACE IMPORTED)
  target_include_directories(tomlplusplus::tomlplusplus INTERFACE ${AIM_TOMLPLUSPLUS_INCLUDE})
endif()
find_path(AIM_CLI11_INCLUDE CLI/CLI.hpp REQUIRED)
add_library(aim_cli11 INTERFACE)
target_include_directories(aim_cli11 SYSTEM INTERFACE ${AIM_CLI11_INCLUDE})
find_path(AIM_STB_INCLUDE stb/stb_image_write.h REQUIRED)
find_path(AIM_MUSTACHE_INCLUDE kainjow/mustache.hpp REQUIRED)
if(AIM_TESTS AND AIM_DEPS)
  set(INSTALL_GTEST OFF)
  add_subdirectory("${AIM_DEPS}/src/googletest" "${CMAKE_BINARY_DIR}/googletest" EXCLUDE_FROM_ALL)
elseif(AIM_TESTS)
  find_package(GTest REQUIRED)
endif()
include(FindAimTorch)

if(NOT AIM_CORE_ONLY)
  find_package(OpenCV 4 REQUIRED COMPONENTS core imgproc imgcodecs video)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(AIM_VIDEO REQUIRED IMPORTED_TARGET libavcodec libavformat libavutil libswscale zimg)
  if(AIM_TESTS)  # files as the library writes them
    pkg_search_module(AIM_HDF5 REQUIRED IMPORTED_TARGET hdf5 hdf5-serial)
  endif()
  find_package(spdlog REQUIRED)
  find_package(yaml-cpp REQUIRED)
  set(AIM_YAML_TARGET yaml-cpp)  # before version 0.8
  if(TARGET yaml-cpp::yaml-cpp)
    set(AIM_YAML_TARGET yaml-cpp::yaml-cpp)
  endif()
  include(FindAimArrow)
  find_package(Boost 1.74 REQUIRED)  # Beast and Asio: headers alone
endif()
if(AIM_MUJOCO)
  include(FindAimMujoco)
endif()

# What most sources of a kind read.
set(AIM_COMMON_HEADERS <algorithm> <array> <cmath> <filesystem> <functional> <map> <optional> <string> <vector>
  <nlohmann/json.hpp>)
foreach(kind module computing_module)
  aim_add_precompiled(${kind}
    LIBRARIES nlohmann_json::nlohmann_json Eigen3::Eigen
    HEADERS ${AIM_COMMON_HEADERS} <Eigen/Core>)
endforeach()
aim_add_precompiled(torch_module
  LIBRARIES aim_torch nlohmann_json::nlohmann_json
  HEADERS ${AIM_COMMON_HEADERS} <ATen/ATen.h>)
aim_add_precompiled(tool
  LIBRARIES aim_cli11 nlohmann_json::nlohmann_json
  HEADERS ${AIM_COMMON_HEADERS} <iostream> <CLI/CLI.hpp>)
if(AIM_TESTS)
  aim_add_precompiled(test
    LIBRARIES nlohmann_json::nlohmann_json Eigen3::Eigen GTest::gmock
    HEADERS ${AIM_COMMON_HEADERS} <Eigen/Core> <gmock/gmock.h>)
  aim_add_precompiled(torch_test
    LIBRARIES aim_torch nlohmann_json::nlohmann_json Eigen3::Eigen GTest::gmock
    HEADERS ${AIM_COMMON_HEADERS} <ATen/ATen.h> <gmock/gmock.h>)
endif()
