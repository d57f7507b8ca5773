# Targets arrow::arrow and arrow::parquet from the PyPI wheel pyarrow, which holds Arrow's C++ headers
# and libraries; they need nothing else of it.
file(GLOB AIM_ARROW_ROOT "${AIM_PYTHON_ROOT}/lib/python3*/site-packages/pyarrow")
set(AIM_ARROW_LIBRARIES "")
foreach(name arrow parquet)
  file(GLOB library "${AIM_ARROW_ROOT}/lib${name}.so.*")
  list(LENGTH library count)
  if(NOT count EQUAL 1)
    message(FATAL_ERROR "found ${count} lib${name}.so below ${AIM_PYTHON_ROOT}, expected 1: run scripts/setup")
  endif()
  get_filename_component(AIM_${name}_SONAME "${library}" NAME)
  add_library(arrow::${name} SHARED IMPORTED GLOBAL)
  set_target_properties(arrow::${name} PROPERTIES
    IMPORTED_LOCATION "${library}" IMPORTED_SONAME "${AIM_${name}_SONAME}"
    INTERFACE_INCLUDE_DIRECTORIES "${AIM_ARROW_ROOT}/include")
  list(APPEND AIM_ARROW_LIBRARIES "${library}")
endforeach()
set_target_properties(arrow::parquet PROPERTIES INTERFACE_LINK_LIBRARIES arrow::arrow)
