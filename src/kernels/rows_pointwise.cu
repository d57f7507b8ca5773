// GatedAdd and GeluTanh: nothing is summed over a row.
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>

#include "kernels/rows_cuda.h"
#include "kernels/rows_gelu.cuh"
#include "kernels/rows_launch.cuh"

namespace aim::cuda {
namespace {

constexpr unsigned kThreads = 256;

// One row a block.
template <class S, class X, class Y>
__global__ void __launch_bounds__(kThreads)
    GatedAddKernel(const X* x, const Y* y, const float* gate, X* out, unsigned rows_per_gate,
                   int width) {
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * width;
  const int64_t gates = static_cast<int64_t>(blockIdx.x / rows_per_gate) * width;
#pragma unroll 4
  for (int column = static_cast<int>(threadIdx.x) * S::kVector; column < width;
       column += static_cast<int>(blockDim.x) * S::kVector) {
    float sum[S::kVector], added[S::kVector], factor[S::kVector];
    Load<S::kAligned>(x + begin + column, sum);
    Load<S::kAligned>(y + begin + column, added);
    Load<S::kAligned, Use::kShared>(gate + gates + column, factor);
#pragma unroll
    for (int i = 0; i < S::kVector; ++i) sum[i] = fmaf(added[i], factor[i], sum[i]);
    Store<S::kAligned>(sum, out + begin + column);
  }
}

// A thread has one vector of a part's rows; blockIdx.y counts blocks of columns.
template <class S, class X, class Y>
__global__ void __launch_bounds__(kThreads)
    GatedAddBackwardKernel(const X* d_out, const Y* y, const float* gate, Y* d_y, float* d_gate,
                           unsigned rows_per_gate, unsigned parts, int width) {
  const int column = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x) * S::kVector;
  if (column >= width) return;
  const RowRange rows = RowsOfPart(rows_per_gate, parts);
  float factor[S::kVector], sum[S::kVector] = {};
  Load<S::kAligned, Use::kShared>(gate + static_cast<int64_t>(blockIdx.x / parts) * width + column,
                                  factor);
#pragma unroll 2
  for (unsigned row = rows.begin; row < rows.end; ++row) {
    const int64_t begin = static_cast<int64_t>(row) * width + column;
    float gradient[S::kVector], values[S::kVector];
    Load<S::kAligned>(d_out + begin, gradient);
    Load<S::kAligned>(y + begin, values);
#pragma unroll
    for (int i = 0; i < S::kVector; ++i) {
      sum[i] = fmaf(gradient[i], values[i], sum[i]);
      gradient[i] *= factor[i];
    }
    Store<S::kAligned>(gradient, d_y + begin);
  }
  Store<S::kAligned>(sum, d_gate + static_cast<int64_t>(blockIdx.x) * width + column);
}

struct GeluGradient {
  template <class T>
  static __device__ float Of(float x, float d_out) {
    const float square = x * x;
    const float u = kRootTwoOverPi * (x + kCubic * square * x);
    const float gate = __fdividef(1.0f, 1.0f + fminf(Exp<T>(-2.0f * u), 1e30f));
    const float slope = 2.0f * kRootTwoOverPi * (1.0f + 3.0f * kCubic * square);
    return d_out * (gate + x * gate * (1.0f - gate) * slope);
  }
};

// out = Op(x, other) for each number; `other` may be null, `out` may be x.
template <class Op, class T>
__global__ void __launch_bounds__(kThreads)
    PointwiseKernel(const T* x, const T* other, T* out, int64_t count, bool aligned) {
  constexpr int kVector = kVectorOf<T>;
  const int64_t begin = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kVector;
  if (begin >= count) return;
  if (!aligned || begin + kVector > count) {
    for (int64_t i = begin; i < count && i < begin + kVector; ++i) {
      const float second = other == nullptr ? 0.0f : ToFloat(other[i]);
      out[i] = FromFloat<T>(Op::template Of<T>(ToFloat(x[i]), second));
    }
    return;
  }
  float values[kVector], seconds[kVector] = {};
  Load<true>(x + begin, values);
  if (other != nullptr) Load<true>(other + begin, seconds);
#pragma unroll
  for (int i = 0; i < kVector; ++i) values[i] = Op::template Of<T>(values[i], seconds[i]);
  Store<true>(values, out + begin);
}

template <class Op>
void RunPointwise(const at::Tensor& x, const at::Tensor& other, const at::Tensor& out) {
  AIM_CHECK(x.is_cuda() && x.is_contiguous() && out.is_contiguous());
  const c10::cuda::CUDAGuard guard(x.device());
  ForType(x.scalar_type(), [&](auto type) {
    using T = typename decltype(type)::Type;
    const int64_t of_block = int64_t{kThreads} * kVectorOf<T>;
    const dim3 grid(static_cast<unsigned>((x.numel() + of_block - 1) / of_block));
    Launch(PointwiseKernel<Op, T>, grid, kThreads, Pointer<T>(x), Pointer<T>(other),
           MutablePointer<T>(out), x.numel(), AreAligned({x, other, out}));
  });
}

// body(Shape, TypeTag<X>, TypeTag<Y>)
template <class Body>
void ForPair(const at::Tensor& x, const at::Tensor& y, bool aligned, const Body& body) {
  AIM_CHECK(x.size(2) % 8 == 0 && x.size(2) < (int64_t{1} << 24));
  ForType(x.scalar_type(), [&](auto first) {
    ForType(y.scalar_type(), [&](auto second) {
      constexpr int kVector =
          kVectorOf<typename decltype(first)::Type, typename decltype(second)::Type>;
      if (aligned) {
        body(Shape<kVector, 1, true>{}, first, second);
      } else {
        body(Shape<kVector, 1, false>{}, first, second);
      }
    });
  });
}

unsigned ThreadsOfRow(int64_t width, int vector) {
  return std::min(kThreads, ThreadsFor(width, vector, 1));
}

}  // namespace

at::Tensor GatedAdd(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  CheckRows(x, x);
  CheckRows(y, x);
  AIM_CHECK(gate.scalar_type() == at::kFloat);
  const unsigned rows_per_gate = RowsPerGroup(gate, x);
  const c10::cuda::CUDAGuard guard(x.device());
  const at::Tensor out = at::empty_like(x);
  const int width = static_cast<int>(x.size(2));
  ForPair(x, y, AreAligned({x, y, gate, out}), [&](auto shape, auto first, auto second) {
    using S = decltype(shape);
    using X = typename decltype(first)::Type;
    using Y = typename decltype(second)::Type;
    Launch(GatedAddKernel<S, X, Y>, dim3(static_cast<unsigned>(x.size(0) * x.size(1))),
           ThreadsOfRow(width, S::kVector), Pointer<X>(x), Pointer<Y>(y), Pointer<float>(gate),
           MutablePointer<X>(out), rows_per_gate, width);
  });
  return out;
}

GatedAddGradients GatedAddBackward(const at::Tensor& d_out, const at::Tensor& y,
                                   const at::Tensor& gate) {
  CheckRows(d_out, d_out);
  CheckRows(y, d_out);
  AIM_CHECK(gate.scalar_type() == at::kFloat);
  const unsigned rows_per_gate = RowsPerGroup(gate, y);
  const c10::cuda::CUDAGuard guard(y.device());
  const int width = static_cast<int>(y.size(2));
  const int64_t groups = gate.size(0) * gate.size(1);
  const unsigned parts = PartsOf(groups, rows_per_gate, width);
  const at::Tensor d_y = at::empty_like(y);
  const at::Tensor d_gate = at::empty({groups, static_cast<int64_t>(parts), width}, gate.options());
  ForPair(d_out, y, AreAligned({d_out, y, gate, d_y}), [&](auto shape, auto first, auto second) {
    using S = decltype(shape);
    using X = typename decltype(first)::Type;
    using Y = typename decltype(second)::Type;
    const unsigned threads = ThreadsOfRow(width, S::kVector);
    const unsigned of_block = threads * S::kVector;
    const dim3 grid(static_cast<unsigned>(groups) * parts,
                    (static_cast<unsigned>(width) + of_block - 1) / of_block);
    Launch(GatedAddBackwardKernel<S, X, Y>, grid, threads, Pointer<X>(d_out), Pointer<Y>(y),
           Pointer<float>(gate), MutablePointer<Y>(d_y), MutablePointer<float>(d_gate),
           rows_per_gate, parts, width);
  });
  return {d_y, (parts == 1 ? d_gate : d_gate.sum(1)).view(gate.sizes())};
}

at::Tensor GeluTanh(const at::Tensor& x) {
  const at::Tensor out = at::empty_like(x);
  RunPointwise<Gelu>(x, {}, out);
  return out;
}

void GeluTanhInPlace(at::Tensor& x) { RunPointwise<Gelu>(x, {}, x); }

at::Tensor GeluTanhBackward(const at::Tensor& d_out, const at::Tensor& x) {
  AIM_CHECK(d_out.sizes() == x.sizes() && d_out.scalar_type() == x.scalar_type());
  AIM_CHECK(d_out.is_contiguous() && d_out.device() == x.device());
  const at::Tensor d_x = at::empty_like(x);
  RunPointwise<GeluGradient>(x, d_out, d_x);
  return d_x;
}

}  // namespace aim::cuda
