# Target aim_torch: LibTorch from the PyPI wheel. Links libtorch_cpu and libc10 directly, because
# libtorch.so would pull in the CUDA half with cuDNN and NCCL.
file(GLOB AIM_TORCH_ROOT "${AIM_PYTHON_ROOT}/lib/python3*/site-packages/torch")
if(NOT AIM_TORCH_ROOT)
  execute_process(COMMAND python3 -c "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
    OUTPUT_VARIABLE AIM_TORCH_ROOT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT EXISTS "${AIM_TORCH_ROOT}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "LibTorch not found below ${AIM_PYTHON_ROOT}: run scripts/setup, or set AIM_PYTHON_ROOT")
endif()
add_library(aim_torch INTERFACE)
add_library(aim::torch ALIAS aim_torch)
set_target_properties(aim_torch PROPERTIES EXPORT_NAME torch)
target_include_directories(aim_torch SYSTEM INTERFACE
  "$<BUILD_INTERFACE:${AIM_TORCH_ROOT}/include;${AIM_TORCH_ROOT}/include/torch/csrc/api/include>")
target_link_libraries(aim_torch INTERFACE
  "$<BUILD_INTERFACE:${AIM_TORCH_ROOT}/lib/libtorch_cpu.so;${AIM_TORCH_ROOT}/lib/libc10.so>")
# at::parallel_for is a header: without OpenMP in our own sources its loops run on one thread. A
# target that has no such loops may set AIM_WITHOUT_OPENMP, to share headers with what has no torch.
if(NOT AIM_FUZZ)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  separate_arguments(AIM_OPENMP_FLAGS UNIX_COMMAND "${OpenMP_CXX_FLAGS}")
  target_compile_options(aim_torch INTERFACE
    "$<BUILD_INTERFACE:$<$<AND:$<COMPILE_LANGUAGE:CXX>,$<NOT:$<BOOL:$<TARGET_PROPERTY:AIM_WITHOUT_OPENMP>>>>:${AIM_OPENMP_FLAGS}>>")
  # The runtime that LibTorch brings, so that there is one pool of threads.
  set(AIM_OPENMP_LIBRARY "${AIM_TORCH_ROOT}/lib/libgomp.so.1")
  if(NOT EXISTS "${AIM_OPENMP_LIBRARY}")
    set(AIM_OPENMP_LIBRARY "${OpenMP_CXX_LIBRARIES}")
  endif()
  target_link_libraries(aim_torch INTERFACE "$<BUILD_INTERFACE:${AIM_OPENMP_LIBRARY}>")
endif()
if(AIM_CUDA)
  target_link_libraries(aim_torch INTERFACE "$<BUILD_INTERFACE:-Wl,--no-as-needed;${AIM_TORCH_ROOT}/lib/libtorch_cuda.so;${AIM_TORCH_ROOT}/lib/libc10_cuda.so;-Wl,--as-needed>")
  # libtorch_cuda.so finds cuDNN, NCCL and the rest of its wheels at run time by its own RPATH; the
  # linker, which does not search there, must not ask for them.
  target_link_options(aim_torch INTERFACE "$<BUILD_INTERFACE:-Wl,--allow-shlib-undefined>")
endif()
