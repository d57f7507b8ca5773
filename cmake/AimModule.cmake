# One folder is one module is one target.
#
#   aim_add_module(geometry
#     SOURCES rigid3.cc
#     PUBLIC  aim::base Eigen3::Eigen    # named in public headers
#     PRIVATE ...                        # used inside only
#     TESTS   rigid3_test                # tests/geometry/<name>.cc, run as geometry/<name>
#     TEST_LIBRARIES ...                 # linked to the tests alone
#     TORCH)                             # links LibTorch and shares its precompiled header

# g++ 12 reports -Wrestrict in its own std::string (GCC bug 105651).
set(AIM_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Werror -Wno-restrict)

# Warnings and sanitizers for a target of this project. Never exported.
function(aim_own_code target)
  target_compile_options(${target} PRIVATE ${AIM_WARNINGS})
  if(AIM_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC $<BUILD_INTERFACE:-fsanitize=address,undefined>)
  endif()
endfunction()

# Compiles the LibTorch headers once for all targets that name them.
function(aim_use_torch target)
  target_precompile_headers(${target} REUSE_FROM aim_torch_pch)
  # The header was compiled with -fPIC; g++ refuses it in an executable's -fPIE code.
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
endfunction()

function(aim_add_module name)
  cmake_parse_arguments(M "TORCH" "" "SOURCES;PUBLIC;PRIVATE;TESTS;TEST_LIBRARIES" ${ARGN})
  if(M_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "aim_add_module(${name}): unknown argument ${M_UNPARSED_ARGUMENTS}")
  endif()
  set(target aim_${name})
  add_library(${target} STATIC ${M_SOURCES})
  add_library(aim::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target}
    PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${target} PUBLIC ${M_PUBLIC} PRIVATE ${M_PRIVATE})
  aim_own_code(${target})
  if(M_TORCH)
    aim_use_torch(${target})
  endif()
  set_property(GLOBAL APPEND PROPERTY AIM_MODULES ${name})

  if(AIM_TESTS)
    foreach(test ${M_TESTS})
      set(exe ${name}_${test})
      add_executable(${exe} ${CMAKE_SOURCE_DIR}/tests/${name}/${test}.cc)
      target_include_directories(${exe} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
      target_link_libraries(${exe} PRIVATE aim::${name} aim_test_support ${M_TEST_LIBRARIES} GTest::gmock GTest::gtest_main)
      set_target_properties(${exe} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
      aim_own_code(${exe})
      if(M_TORCH)
        aim_use_torch(${exe})
      endif()
      add_test(NAME ${name}/${test} COMMAND ${exe})
      set_tests_properties(${name}/${test} PROPERTIES
        ENVIRONMENT "AIM_SOURCE_DIR=${CMAKE_SOURCE_DIR};AIM_BIN_DIR=${CMAKE_BINARY_DIR}/bin")
    endforeach()
  endif()
endfunction()
