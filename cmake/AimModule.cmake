# One folder is one module is one target.
#
#   aim_add_module(geometry
#     SOURCES rigid3.cc
#     PUBLIC  aim::base Eigen3::Eigen    # named in public headers
#     PRIVATE ...                        # used inside only
#     TESTS   rigid3_test                # tests/geometry/<name>.cc, run as geometry/<name>
#     SLOW_TESTS ...                     # the same, of more than a few seconds: label slow
#     GPU_TESTS ...                      # the same, with rows for a GPU: labels unit and gpu
#     TEST_LIBRARIES ...                 # linked to the tests alone
#     TORCH)                             # links LibTorch and shares its precompiled header

option(AIM_WERROR "Warnings in this project's own code are errors" ON)

set(AIM_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these in its own std::string (GCC bugs 105329 and 105651).
  list(APPEND AIM_WARNINGS -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
endif()
if(AIM_WERROR)
  list(APPEND AIM_WARNINGS -Werror)
endif()

# Warnings and sanitizers for a target of this project. Never exported.
function(aim_own_code target)
  target_compile_options(${target} PRIVATE ${AIM_WARNINGS})
  if(AIM_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC $<BUILD_INTERFACE:-fsanitize=address,undefined>)
  endif()
endfunction()

# Headers that a kind of target shares, compiled once: most of a compile is reading them. The kinds:
# module, torch_module, test, torch_test.
function(aim_add_precompiled kind)
  cmake_parse_arguments(P "" "" "LIBRARIES;HEADERS" ${ARGN})
  set(target aim_${kind}_pch)
  # Not file(WRITE): a new time would have everything compiled again.
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/${target}.cc
    CONTENT "// Holds the precompiled headers of a ${kind}.\n" @ONLY)
  add_library(${target} OBJECT ${CMAKE_BINARY_DIR}/${target}.cc)
  target_link_libraries(${target} PUBLIC ${P_LIBRARIES})
  aim_own_code(${target})
  if(kind MATCHES "test$")
    aim_compile_as_test(${target})
  endif()
  target_precompile_headers(${target} PRIVATE ${P_HEADERS})
endfunction()

# Tests are compiled with -O1: what they measure lies in the libraries, and it takes half the time.
function(aim_compile_as_test target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

# Lets `target` share the precompiled headers of its kind.
function(aim_use_precompiled target kind)
  target_precompile_headers(${target} REUSE_FROM aim_${kind}_pch)
  # The headers were compiled with -fPIC; g++ refuses them in an executable's -fPIE code.
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
endfunction()

# A test of GoogleTest's: tests/<folder>/<name>.cc, run as <folder>/<name>.
#
#   aim_add_test(tools cli_test
#     LIBRARIES aim::base
#     LABELS unit                 # unit, slow, gpu, tool; ctest -L unit
#     ENVIRONMENT A=b             # besides AIM_SOURCE_DIR and AIM_BIN_DIR
#     DEPENDS aim-codec           # built before it
#     TORCH)
#
# A test that hangs is ended: a unit test after two minutes, others after ten.
function(aim_add_test folder name)
  cmake_parse_arguments(T "TORCH" "" "LIBRARIES;LABELS;ENVIRONMENT;DEPENDS" ${ARGN})
  if(T_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "aim_add_test(${folder} ${name}): unknown argument ${T_UNPARSED_ARGUMENTS}")
  endif()
  set(exe ${folder}_${name})
  add_executable(${exe} ${CMAKE_SOURCE_DIR}/tests/${folder}/${name}.cc)
  target_include_directories(${exe} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
  target_link_libraries(${exe} PRIVATE ${T_LIBRARIES} aim_test_support GTest::gmock GTest::gtest_main)
  set_target_properties(${exe} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  aim_own_code(${exe})
  aim_compile_as_test(${exe})
  if(T_TORCH)
    aim_use_precompiled(${exe} torch_test)
  else()
    aim_use_precompiled(${exe} test)
  endif()
  if(T_DEPENDS)
    add_dependencies(${exe} ${T_DEPENDS})
  endif()
  add_test(NAME ${folder}/${name} COMMAND ${exe})
  set(timeout 600)
  if("unit" IN_LIST T_LABELS)
    set(timeout 120)
  endif()
  if(AIM_SANITIZE)
    math(EXPR timeout "${timeout} * 10")
  endif()
  set(environment "AIM_SOURCE_DIR=${CMAKE_SOURCE_DIR}" "AIM_BIN_DIR=${CMAKE_BINARY_DIR}/bin" ${T_ENVIRONMENT})
  set_tests_properties(${folder}/${name} PROPERTIES
    LABELS "${T_LABELS}" TIMEOUT ${timeout} ENVIRONMENT "${environment}")
endfunction()

function(aim_add_module name)
  cmake_parse_arguments(M "TORCH" "" "SOURCES;PUBLIC;PRIVATE;TESTS;SLOW_TESTS;GPU_TESTS;TEST_LIBRARIES" ${ARGN})
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
    aim_use_precompiled(${target} torch_module)
  else()
    aim_use_precompiled(${target} module)
  endif()
  set_property(GLOBAL APPEND PROPERTY AIM_MODULES ${name})

  if(AIM_TESTS)
    set(torch)
    if(M_TORCH)
      set(torch TORCH)
    endif()
    foreach(test ${M_TESTS})
      aim_add_test(${name} ${test} LABELS unit LIBRARIES aim::${name} ${M_TEST_LIBRARIES} ${torch})
    endforeach()
    foreach(test ${M_GPU_TESTS})
      aim_add_test(${name} ${test} LABELS unit gpu LIBRARIES aim::${name} ${M_TEST_LIBRARIES} ${torch})
    endforeach()
    foreach(test ${M_SLOW_TESTS})
      aim_add_test(${name} ${test} LABELS slow LIBRARIES aim::${name} ${M_TEST_LIBRARIES} ${torch})
    endforeach()
  endif()
endfunction()

# Everything that a target links, however far down, appended to the list named by `out`.
function(aim_collect_libraries target out)
  get_target_property(libraries ${target} LINK_LIBRARIES)
  get_target_property(interface ${target} INTERFACE_LINK_LIBRARIES)
  set(found ${${out}})
  foreach(library ${libraries} ${interface})
    string(REGEX REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1" library "${library}")
    if(NOT TARGET ${library})
      continue()
    endif()
    get_target_property(real ${library} ALIASED_TARGET)
    if(real)
      set(library ${real})
    endif()
    if(NOT library IN_LIST found)
      list(APPEND found ${library})
      aim_collect_libraries(${library} found)
    endif()
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# Fails the configuration if one of the modules, or what it stands on, links LibTorch: a machine
# with a simulator and a remote policy has none.
function(aim_require_no_torch)
  foreach(module ${ARGN})
    if(NOT TARGET aim_${module})
      continue()
    endif()
    set(libraries)
    aim_collect_libraries(aim_${module} libraries)
    if("aim_torch" IN_LIST libraries)
      message(FATAL_ERROR "module ${module} must not link LibTorch, but links: ${libraries}")
    endif()
  endforeach()
endfunction()
