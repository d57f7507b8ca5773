# One folder is one module is one target.
#
#   aim_add_module(geometry
#     SOURCES rigid3.cc
#     PUBLIC  aim::base Eigen3::Eigen    # named in public headers
#     PRIVATE ...                        # used inside only
#     TESTS   rigid3_test                # tests/geometry/<name>.cc, run as geometry/<name>; all of a
#                                        # module's in one program, geometry_tests
#     SLOW_TESTS ...                     # the same, of more than a few seconds: label slow
#     GPU_TESTS ...                      # the same, with rows for a GPU: labels unit and gpu
#     TEST_LIBRARIES ...                 # linked to the tests alone
#     TORCH                              # links LibTorch and shares its precompiled header
#     COMPUTES)                          # has loops over numbers of its own: compiled with -O3

option(AIM_WERROR "Warnings in this project's own code are errors" ON)
option(AIM_UNITY "Compile the files of a module in groups: half the time, for a build from nothing" ON)

set(AIM_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these in its own std::string (GCC bugs 105329 and 105651).
  list(APPEND AIM_WARNINGS -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
endif()
if(AIM_WERROR)
  list(APPEND AIM_WARNINGS -Werror)
endif()

# The system's linker takes five times as long as these two, once for each of fifty programs.
option(AIM_FAST_LINKER "Link with lld or gold where the compiler finds one of them" ON)
if(AIM_FAST_LINKER AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
  include(CheckLinkerFlag)
  foreach(linker lld gold)
    check_linker_flag(CXX -fuse-ld=${linker} AIM_LINKS_WITH_${linker})
    if(AIM_LINKS_WITH_${linker})
      add_link_options(-fuse-ld=${linker})
      break()
    endif()
  endforeach()
endif()

# Warnings and sanitizers for a target of this project. Never exported.
function(aim_own_code target)
  target_compile_options(${target} PRIVATE ${AIM_WARNINGS})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Collects the compiler's own garbage less often: a twentieth of the time for a tenth more memory.
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:--param=ggc-min-expand=300>
      $<$<COMPILE_LANGUAGE:CXX>:--param=ggc-min-heapsize=1000000>)
  endif()
  if(AIM_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${AIM_SANITIZE} -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC $<BUILD_INTERFACE:-fsanitize=${AIM_SANITIZE}>)
    if(AIM_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      target_compile_options(${target} PRIVATE -Wno-tsan)  # of Boost.Asio's fences
    endif()
  endif()
  if(AIM_FUZZ)  # coverage of all own code, which libFuzzer's targets link
    set(sanitizers -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined)
    target_compile_options(${target} PRIVATE -g1 ${sanitizers})
    target_link_options(${target} PUBLIC $<BUILD_INTERFACE:${sanitizers}>)
  endif()
endfunction()

# Headers that a kind of target shares, compiled once: most of a compile is reading them. The kinds:
# module, torch_module, computing_module, tool, test, torch_test.
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
    aim_compile_for_tests(${target})
  elseif(NOT kind STREQUAL "computing_module")
    aim_compile_quickly(${target})
  endif()
  target_precompile_headers(${target} PRIVATE ${P_HEADERS})
endfunction()

# Tools and the modules that leave loops over numbers to others are compiled with -O1, in two thirds
# of the time that -O3 takes.
function(aim_compile_quickly target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

# Tests are compiled in two thirds of that time again: what computes lies in the libraries.
function(aim_compile_for_tests target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-Og>)
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

# Files of a target in groups of twelve, each compiled at once: most of a compile is reading headers.
# Names inside a file are its module's, therefore: two files' anonymous namespaces become one.
# A file with flags of its own stays by itself.
function(aim_group_sources target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${AIM_UNITY} UNITY_BUILD_BATCH_SIZE 12)
  if(AIM_UNITY)
    # A class that is private to its file looks to g++ as if a header had it.
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()

# A program of GoogleTest's from tests/<folder>/<name>.cc of each name; aim_run_test has ctest run
# them. One file of it by hand:  build/release/tests/codec_tests peaks_test
#
#   aim_add_test_program(tools_cli_test tools cli_test
#     LIBRARIES aim::base
#     DEPENDS aim-codec           # built before it
#     TORCH)
function(aim_add_test_program program folder)
  cmake_parse_arguments(T "TORCH" "" "LIBRARIES;DEPENDS" ${ARGN})
  add_executable(${program})
  foreach(name ${T_UNPARSED_ARGUMENTS})
    target_sources(${program} PRIVATE ${CMAKE_SOURCE_DIR}/tests/${folder}/${name}.cc)
  endforeach()
  target_include_directories(${program} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
  target_link_libraries(${program} PRIVATE ${T_LIBRARIES} aim_test_support aim_test_main)
  set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  aim_own_code(${program})
  aim_compile_for_tests(${program})
  aim_group_sources(${program})
  if(T_TORCH)
    aim_use_precompiled(${program} torch_test)
  else()
    aim_use_precompiled(${program} test)
  endif()
  if(T_DEPENDS)
    add_dependencies(${program} ${T_DEPENDS})
  endif()
endfunction()

# Has ctest run one file of a program as <folder>/<name>, in a process of its own. A test that hangs
# is ended: a unit test after two minutes, others after ten.
#
#   aim_run_test(tools_cli_test tools cli_test
#     LABELS unit                 # unit, slow, gpu, tool; ctest -L unit
#     ENVIRONMENT A=b)            # besides AIM_SOURCE_DIR and AIM_BIN_DIR
function(aim_run_test program folder name)
  cmake_parse_arguments(T "" "" "LABELS;ENVIRONMENT" ${ARGN})
  if(T_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "aim_run_test(${folder} ${name}): unknown argument ${T_UNPARSED_ARGUMENTS}")
  endif()
  add_test(NAME ${folder}/${name} COMMAND ${program} ${name})
  set(timeout 600)
  if("unit" IN_LIST T_LABELS)
    set(timeout 120)
  endif()
  if(AIM_SANITIZE)
    math(EXPR timeout "${timeout} * 10")
  endif()
  set(environment "AIM_SOURCE_DIR=${CMAKE_SOURCE_DIR}" "AIM_BIN_DIR=${CMAKE_BINARY_DIR}/bin" ${T_ENVIRONMENT})
  if(AIM_SANITIZE STREQUAL "thread")
    list(APPEND environment "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/cmake/tsan.supp")
  endif()
  set_tests_properties(${folder}/${name} PROPERTIES
    LABELS "${T_LABELS}" TIMEOUT ${timeout} ENVIRONMENT "${environment}")
endfunction()

# A program of one file, run as <folder>/<name>; the words of both functions above.
function(aim_add_test folder name)
  cmake_parse_arguments(T "TORCH" "" "LIBRARIES;LABELS;ENVIRONMENT;DEPENDS" ${ARGN})
  if(T_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "aim_add_test(${folder} ${name}): unknown argument ${T_UNPARSED_ARGUMENTS}")
  endif()
  set(torch)
  if(T_TORCH)
    set(torch TORCH)
  endif()
  aim_add_test_program(${folder}_${name} ${folder} ${name}
    LIBRARIES ${T_LIBRARIES} DEPENDS ${T_DEPENDS} ${torch})
  aim_run_test(${folder}_${name} ${folder} ${name} LABELS ${T_LABELS} ENVIRONMENT ${T_ENVIRONMENT})
endfunction()

function(aim_add_module name)
  cmake_parse_arguments(M "TORCH;COMPUTES" "" "SOURCES;PUBLIC;PRIVATE;TESTS;SLOW_TESTS;GPU_TESTS;TEST_LIBRARIES" ${ARGN})
  if(M_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "aim_add_module(${name}): unknown argument ${M_UNPARSED_ARGUMENTS}")
  endif()
  if(M_TORCH AND M_COMPUTES)  # they share different headers
    message(FATAL_ERROR "aim_add_module(${name}): TORCH or COMPUTES, not both; give single files -O3")
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
  aim_group_sources(${target})
  set(torch)
  if(M_COMPUTES)
    aim_use_precompiled(${target} computing_module)
  else()
    aim_compile_quickly(${target})
    if(M_TORCH)
      set(torch TORCH)
      aim_use_precompiled(${target} torch_module)
    else()
      aim_use_precompiled(${target} module)
    endif()
  endif()
  set_property(GLOBAL APPEND PROPERTY AIM_MODULES ${name})

  if(AIM_TESTS AND (M_TESTS OR M_SLOW_TESTS))
    aim_add_test_program(${name}_tests ${name} ${M_TESTS} ${M_SLOW_TESTS}
      LIBRARIES aim::${name} ${M_TEST_LIBRARIES} ${torch})
    foreach(test ${M_TESTS})
      aim_run_test(${name}_tests ${name} ${test} LABELS unit)
    endforeach()
    foreach(test ${M_SLOW_TESTS})
      aim_run_test(${name}_tests ${name} ${test} LABELS slow)
    endforeach()
  endif()
  if(AIM_TESTS)
    foreach(test ${M_GPU_TESTS})  # by themselves: a GPU machine builds nothing else
      aim_add_test(${name} ${test} LABELS unit gpu LIBRARIES aim::${name} ${M_TEST_LIBRARIES} ${torch})
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
