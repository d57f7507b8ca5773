// QuantiseRows and ScaledGeluTanh: rows as eight-bit floats, a scale each.
#include <cuda_runtime_api.h>

#include "kernels/rows_cuda.h"
#include "kernels/rows_gelu.cuh"
#include "kernels/rows_launch.cuh"

namespace aim::cuda {
namespace {

// One row a block.
template <class S, class T, bool kIsGelu>
__global__ void __launch_bounds__(S::kMaxThreads)
    QuantiseKernel(const T* rows, E4m3* values, float* scale, int width) {
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * width;
  float x[S::kSteps][S::kVector];
  ForEachVector<S>(width, [&](int step, int column) {
    Load<S::kAligned>(rows + begin + column, x[step]);
    if constexpr (kIsGelu) {
#pragma unroll
      for (int i = 0; i < S::kVector; ++i) x[step][i] = Gelu::Of<T>(x[step][i], 0.0f);
    }
  });
  StoreQuantised<S>(x, width, values + begin, scale + blockIdx.x);
}

template <bool kIsGelu>
ScaledRows Run(const at::Tensor& x) {
  AIM_CHECK(x.is_cuda() && x.is_contiguous() && HasFittingRows(x));
  const int64_t width = x.size(-1), num_rows = x.numel() / width;
  AIM_CHECK(num_rows < (int64_t{1} << 31));
  const c10::cuda::CUDAGuard guard(x.device());
  const ScaledRows out = EmptyScaledRows(x);
  ForType(x.scalar_type(), [&](auto type) {
    using T = typename decltype(type)::Type;
    ForShape<kVectorOf<T>>(width, AreAligned({x, out.values}), [&](auto shape, unsigned threads) {
      Launch(QuantiseKernel<decltype(shape), T, kIsGelu>, dim3(static_cast<unsigned>(num_rows)),
             threads, Pointer<T>(x), MutablePointer<E4m3>(out.values),
             MutablePointer<float>(out.scale), static_cast<int>(width));
    });
  });
  return out;
}

}  // namespace

int ComputeCapability(c10::Device device) {
  const int index = device.has_index() ? device.index() : c10::cuda::current_device();
  int major = 0, minor = 0;
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index));
  C10_CUDA_CHECK(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index));
  return 10 * major + minor;
}

ScaledRows QuantiseRows(const at::Tensor& x) { return Run<false>(x); }
ScaledRows ScaledGeluTanh(const at::Tensor& x) { return Run<true>(x); }

}  // namespace aim::cuda
