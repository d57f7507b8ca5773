// How the row kernels are chosen and launched: types, shape of a block, checks.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "aim/base/error.h"
#include "kernels/rows_cuda.h"
#include "kernels/rows_device.cuh"

namespace aim::cuda {

template <class T>
const T* Pointer(const at::Tensor& x) {
  return x.defined() ? static_cast<const T*>(x.const_data_ptr()) : nullptr;
}
template <class T>
T* MutablePointer(const at::Tensor& x) {
  return x.defined() ? static_cast<T*>(x.data_ptr()) : nullptr;
}

// Of those that are defined.
inline bool AreAligned(std::initializer_list<at::Tensor> tensors) {
  for (const at::Tensor& x : tensors) {
    if (x.defined() && reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 != 0) return false;
  }
  return true;
}

template <class T>
struct TypeTag {
  using Type = T;
};

// body(TypeTag<float or Bf16>)
template <class Body>
void ForType(at::ScalarType dtype, const Body& body) {
  if (dtype == at::kFloat) {
    body(TypeTag<float>{});
  } else {
    AIM_CHECK(dtype == at::kBFloat16);
    body(TypeTag<Bf16>{});
  }
}

// 16 bytes of the widest type of a row.
template <class... Types>
constexpr int kVectorOf = ((sizeof(Types) == 2) && ...) ? 8 : 4;

inline unsigned ThreadsFor(int64_t width, int vector, int steps) {
  const int64_t threads = (width / vector + steps - 1) / steps;
  return static_cast<unsigned>((threads + 31) / 32 * 32);
}

// body(Shape<...>, threads) with few numbers a thread for narrow rows and many for wide ones. Rows
// that are not aligned are rare: one shape for all of them.
template <int kVector, class Body>
void ForShape(int64_t width, bool aligned, const Body& body) {
  AIM_CHECK(width % 8 == 0 && width > 0 && width <= kMaxWidth);
  const auto with = [&](auto shape) {
    body(shape, ThreadsFor(width, kVector, decltype(shape)::kSteps));
  };
  if (!aligned) {
    with(Shape<kVector, 32 / kVector, false>{});
  } else if (width <= 128 * kVector) {
    with(Shape<kVector, 1, true>{});
  } else if (width <= 4096) {
    with(Shape<kVector, 16 / kVector, true>{});
  } else {
    with(Shape<kVector, 32 / kVector, true>{});
  }
}

template <class... Parameters, class... Arguments>
void Launch(void (*kernel)(Parameters...), dim3 grid, unsigned threads,
            const Arguments&... arguments) {
  if (grid.x == 0 || grid.y == 0) return;
  kernel<<<grid, threads, 0, c10::cuda::getCurrentCUDAStream()>>>(arguments...);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

// Runs of rows whose sums are wanted are cut into parts, a block each, so that there are enough
// blocks to fill a GPU; the sums of the parts are added afterwards.
inline unsigned PartsOf(int64_t num_runs, int64_t rows_of_run, int64_t width) {
  const int64_t blocks = std::clamp<int64_t>((int64_t{3} << 20) / width, 512, 8192);
  const int64_t parts = (blocks + num_runs - 1) / std::max<int64_t>(num_runs, 1);
  return static_cast<unsigned>(std::clamp<int64_t>(parts, 1, std::max<int64_t>(rows_of_run, 1)));
}

// [B, N, D] with rows that lie together.
inline void CheckRows(const at::Tensor& x, const at::Tensor& like) {
  AIM_CHECK(x.is_cuda() && x.device() == like.device());
  AIM_CHECK(x.dim() == 3 && x.sizes() == like.sizes() && x.is_contiguous());
  AIM_CHECK(x.size(0) * x.size(1) < (int64_t{1} << 31));
}

// For x [..., D].
inline ScaledRows EmptyScaledRows(const at::Tensor& x) {
  return {at::empty(x.sizes(), x.options().dtype(at::kFloat8_e4m3fn)),
          at::empty(x.sizes().slice(0, static_cast<size_t>(x.dim() - 1)),
                    x.options().dtype(at::kFloat))};
}

// How many rows share one of `modulation`.
inline unsigned RowsPerGroup(const at::Tensor& modulation, const at::Tensor& x) {
  AIM_CHECK(modulation.device() == x.device() && modulation.is_contiguous());
  AIM_CHECK(modulation.dim() == 3 && modulation.size(2) == x.size(2) && modulation.size(1) > 0);
  const bool is_for_all = modulation.size(0) == 1 && modulation.size(1) == 1;
  AIM_CHECK(is_for_all || modulation.size(0) == x.size(0));
  AIM_CHECK(x.size(1) % modulation.size(1) == 0);
  return static_cast<unsigned>(is_for_all ? x.size(0) * x.size(1) : x.size(1) / modulation.size(1));
}

}  // namespace aim::cuda
