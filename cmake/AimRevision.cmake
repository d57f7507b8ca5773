# Run at every build: writes OUTPUT with the version and git revision, only when they changed.
#   cmake -DSOURCE_DIR=... -DOUTPUT=... -DVERSION=... -P AimRevision.cmake
cmake_minimum_required(VERSION 3.22)
set(revision "")
find_program(GIT git)
if(GIT AND EXISTS "${SOURCE_DIR}/.git")
  execute_process(COMMAND "${GIT}" rev-parse HEAD WORKING_DIRECTORY "${SOURCE_DIR}"
    OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  # Takes no lock: someone may be committing at the same time.
  execute_process(COMMAND "${GIT}" --no-optional-locks status --porcelain --untracked-files=no
    WORKING_DIRECTORY "${SOURCE_DIR}" OUTPUT_VARIABLE changes ERROR_QUIET)
  if(revision AND changes)
    string(APPEND revision "-modified")
  endif()
endif()
if(NOT revision AND EXISTS "${SOURCE_DIR}/.gpu-deps/revision")  # scripts/gpu_check --prepare
  file(STRINGS "${SOURCE_DIR}/.gpu-deps/revision" revision LIMIT_COUNT 1)
endif()
if(NOT revision)
  set(revision "unknown")
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT
"// Written by cmake/AimRevision.cmake.
#pragma once

#define AIM_VERSION \"@VERSION@\"
#define AIM_REVISION \"@revision@\"
")
