#include <cmath>

#include "kernels/norm_silu_cuda.h"
#include "kernels/rows_launch.cuh"

namespace aim::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int kRowsOfBlock = kThreads / 32;

// One warp a pixel: lane l has the vectors l, l + 32, ... of kVector channels, kSteps of them.
template <class T, int kVector, int kSteps, bool kAligned>
__global__ void __launch_bounds__(kThreads)
    NormSiluKernel(const T* x, const T* bias, const T* gamma, T* out, int64_t num_rows,
                   int64_t rows_of_item, int64_t item_stride, int channels, float root) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kRowsOfBlock + threadIdx.x / 32;
  if (row >= num_rows) return;  // a whole warp
  const int lane = static_cast<int>(threadIdx.x % 32);
  const T* const from = x + row * channels;
  T* const to = out + row / rows_of_item * item_stride + row % rows_of_item * channels;
  float values[kSteps][kVector];
  float squares = 0.0f;
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    const int column = (step * 32 + lane) * kVector;
    if (column >= channels) continue;
    Load<kAligned>(from + column, values[step]);
    if (bias != nullptr) {
      float added[kVector];
      Load<kAligned, Use::kShared>(bias + column, added);
#pragma unroll
      for (int i = 0; i < kVector; ++i) values[step][i] += added[i];
    }
#pragma unroll
    for (int i = 0; i < kVector; ++i) squares = fmaf(values[step][i], values[step][i], squares);
  }
  // fmaxf would lose a NaN.
  const float norm = sqrtf(WarpSum(squares));
  const float factor = root / (norm < 1e-12f ? 1e-12f : norm);
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    const int column = (step * 32 + lane) * kVector;
    if (column >= channels) continue;
    float weight[kVector];
    Load<kAligned, Use::kShared>(gamma + column, weight);
#pragma unroll
    for (int i = 0; i < kVector; ++i) {
      const float y = values[step][i] * factor * weight[i];
      values[step][i] = y / (1.0f + expf(-y));
    }
    Store<kAligned>(values[step], to + column);
  }
}

template <class T, bool kAligned, class... Arguments>
void LaunchNorm(int channels, int64_t num_rows, const Arguments&... arguments) {
  constexpr int kVector = kVectorOf<T>;
  const dim3 grid(static_cast<unsigned>((num_rows + kRowsOfBlock - 1) / kRowsOfBlock));
  const int steps = (channels + 32 * kVector - 1) / (32 * kVector);
  if (steps <= 1) {
    Launch(NormSiluKernel<T, kVector, 1, kAligned>, grid, kThreads, arguments...);
  } else if (steps <= 2) {
    Launch(NormSiluKernel<T, kVector, 2, kAligned>, grid, kThreads, arguments...);
  } else if (steps <= 4) {
    Launch(NormSiluKernel<T, kVector, 4, kAligned>, grid, kThreads, arguments...);
  } else {
    AIM_CHECK(steps <= 8);
    Launch(NormSiluKernel<T, kVector, 8, kAligned>, grid, kThreads, arguments...);
  }
}

// A vector a thread; `channels` is a multiple of its length.
template <class T, bool kAligned>
__global__ void __launch_bounds__(kThreads)
    AddWithBiasKernel(T* sum, const T* bias, const T* other, int64_t count, int channels) {
  constexpr int kVector = kVectorOf<T>;
  const int64_t begin = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kVector;
  if (begin >= count) return;
  float values[kVector], added[kVector], offsets[kVector];
  Load<kAligned>(sum + begin, values);
  Load<kAligned>(other + begin, added);
  Load<kAligned, Use::kShared>(bias + begin % channels, offsets);
#pragma unroll
  for (int i = 0; i < kVector; ++i) values[i] = values[i] + offsets[i] + added[i];
  Store<kAligned>(values, sum + begin);
}

void CheckFrames(const at::Tensor& x, const at::Tensor& other) {
  AIM_CHECK(x.is_cuda() && x.is_contiguous() && HasFittingChannels(x));
  AIM_CHECK(other.device() == x.device() && other.scalar_type() == x.scalar_type());
}

}  // namespace

bool HasFittingChannels(const at::Tensor& x) {
  const bool is_known = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return is_known && x.numel() > 0 && x.size(-1) % 8 == 0 && x.size(-1) <= 1024;
}

void NormSiluInto(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& gamma,
                  const at::Tensor& out) {
  CheckFrames(x, gamma);
  CheckFrames(x, out);
  AIM_CHECK(out.sizes() == x.sizes() && out[0].is_contiguous() && gamma.is_contiguous());
  AIM_CHECK(gamma.numel() == x.size(-1));
  if (bias.defined()) CheckFrames(x, bias);
  const int64_t channels = x.size(-1), num_rows = x.numel() / channels;
  AIM_CHECK(num_rows / kRowsOfBlock < (int64_t{1} << 31) - 1);
  const c10::cuda::CUDAGuard guard(x.device());
  // Items lie a multiple of 8 numbers apart, so that pointers of all are aligned if the first is.
  const bool aligned = AreAligned({x, bias, gamma, out}) && out.stride(0) % 8 == 0;
  ForType(x.scalar_type(), [&](auto type) {
    using T = typename decltype(type)::Type;
    const auto run = [&](auto is_aligned) {
      LaunchNorm<T, decltype(is_aligned)::value>(
          static_cast<int>(channels), num_rows, Pointer<T>(x), Pointer<T>(bias), Pointer<T>(gamma),
          MutablePointer<T>(out), num_rows, num_rows / x.size(0), out.stride(0),
          static_cast<int>(channels), std::sqrt(static_cast<float>(channels)));
    };
    if (aligned) {
      run(std::true_type{});
    } else {
      run(std::false_type{});
    }
  });
}

void AddWithBias(const at::Tensor& sum, const at::Tensor& bias, const at::Tensor& other) {
  CheckFrames(sum, bias);
  CheckFrames(sum, other);
  AIM_CHECK(other.sizes() == sum.sizes() && other.is_contiguous() && bias.is_contiguous());
  AIM_CHECK(bias.numel() == sum.size(-1));
  const c10::cuda::CUDAGuard guard(sum.device());
  const bool aligned = AreAligned({sum, bias, other});
  ForType(sum.scalar_type(), [&](auto type) {
    using T = typename decltype(type)::Type;
    const int64_t of_block = int64_t{kThreads} * kVectorOf<T>;
    const dim3 grid(static_cast<unsigned>((sum.numel() + of_block - 1) / of_block));
    const auto run = [&](auto kernel) {
      Launch(kernel, grid, kThreads, MutablePointer<T>(sum), Pointer<T>(bias), Pointer<T>(other),
             sum.numel(), static_cast<int>(sum.size(-1)));
    };
    if (aligned) {
      run(AddWithBiasKernel<T, true>);
    } else {
      run(AddWithBiasKernel<T, false>);
    }
  });
}

}  // namespace aim::cuda
