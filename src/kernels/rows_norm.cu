// ModulatedNorm and GatedAddNorm: layer norm with its modulation, alone or behind the addition to
// the residual stream. One kernel forward and one backward serve both.
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <numeric>

#include "kernels/rows_cuda.h"
#include "kernels/rows_launch.cuh"

namespace aim::cuda {
namespace {

// Rows of float32 or bfloat16, known at run time.
struct AnyRows {
  const void* data = nullptr;  // null for none
  bool is_float = true;
};

template <class S>
__device__ inline void LoadAny(const AnyRows& rows, int64_t offset, float (&to)[S::kVector]) {
  if (rows.is_float) {
    Load<S::kAligned, Use::kShared>(static_cast<const float*>(rows.data) + offset, to);
  } else {
    Load<S::kAligned, Use::kShared>(static_cast<const Bf16*>(rows.data) + offset, to);
  }
}

// R is the type of the residual stream, T that of what is added to it and O of the normed rows.
template <class R, class T, class O>
struct NormForward {
  const R* residual;
  const T* y;         // null: nothing is added
  const float* gate;  // null: one
  const float* shift;
  const float* scale;
  AnyRows camera;
  R* new_residual;  // written if there is a y
  O* out;
  float* out_scale;  // of rows of eight-bit floats
  float2* stats;     // null: nobody asks for them
  unsigned rows_per_gate, rows_per_norm, rows_per_camera;
  int width;
  float eps;
};

// x += gate * y, rounded to the residual's type and written there.
template <class S, class R, class T, class O>
__device__ inline void AddGated(const NormForward<R, T, O>& a, unsigned row,
                                float (&x)[S::kSteps][S::kVector]) {
  const int64_t begin = static_cast<int64_t>(row) * a.width;
  float y[S::kSteps][S::kVector];
  ForEachVector<S>(a.width,
                   [&](int step, int column) { Load<S::kAligned>(a.y + begin + column, y[step]); });
  const int64_t gates =
      a.gate == nullptr ? 0 : static_cast<int64_t>(row / a.rows_per_gate) * a.width;
  ForEachVector<S>(a.width, [&](int step, int column) {
    float gate[S::kVector];
    if (a.gate != nullptr) Load<S::kAligned, Use::kShared>(a.gate + gates + column, gate);
#pragma unroll
    for (int i = 0; i < S::kVector; ++i) {
      const float sum = fmaf(y[step][i], a.gate == nullptr ? 1.0f : gate[i], x[step][i]);
      x[step][i] = Rounded<R>(sum);
    }
    Store<S::kAligned>(x[step], a.new_residual + begin + column);
  });
}

template <class S, class R, class T, class O>
__global__ void __launch_bounds__(S::kMaxThreads) NormForwardKernel(const NormForward<R, T, O> a) {
  const unsigned row = blockIdx.x;
  const int64_t begin = static_cast<int64_t>(row) * a.width;
  float x[S::kSteps][S::kVector];
  ForEachVector<S>(a.width, [&](int step, int column) {
    Load<S::kAligned>(a.residual + begin + column, x[step]);
  });
  if (a.y != nullptr) AddGated<S>(a, row, x);

  const float n = static_cast<float>(a.width);
  float sum[1] = {0.0f};
  ForEachVector<S>(a.width, [&](int step, int) {
#pragma unroll
    for (int i = 0; i < S::kVector; ++i) sum[0] += x[step][i];
  });
  BlockSum(sum, 0);
  const float mean = sum[0] / n;
  float squares[1] = {0.0f};
  ForEachVector<S>(a.width, [&](int step, int) {
#pragma unroll
    for (int i = 0; i < S::kVector; ++i) {
      x[step][i] -= mean;
      squares[0] = fmaf(x[step][i], x[step][i], squares[0]);
    }
  });
  BlockSum(squares, 1);
  const float inv_std = 1.0f / sqrtf(squares[0] / n + a.eps);
  if (threadIdx.x == 0 && a.stats != nullptr) a.stats[row] = make_float2(mean, inv_std);

  const int64_t group = static_cast<int64_t>(row / a.rows_per_norm) * a.width;
  const int64_t camera_row =
      a.camera.data == nullptr ? 0 : static_cast<int64_t>(row / a.rows_per_camera) * a.width;
  ForEachVector<S>(a.width, [&](int step, int column) {
    float shift[S::kVector], scale[S::kVector];
    Load<S::kAligned, Use::kShared>(a.shift + group + column, shift);
    Load<S::kAligned, Use::kShared>(a.scale + group + column, scale);
#pragma unroll
    for (int i = 0; i < S::kVector; ++i) {
      x[step][i] = fmaf(x[step][i] * inv_std, 1.0f + scale[i], shift[i]);
    }
    if (a.camera.data != nullptr) {
      float camera[S::kVector];
      LoadAny<S>(a.camera, camera_row + column, camera);
#pragma unroll
      for (int i = 0; i < S::kVector; ++i) x[step][i] += camera[i];
    }
    if constexpr (sizeof(O) > 1) Store<S::kAligned>(x[step], a.out + begin + column);
  });
  if constexpr (sizeof(O) == 1) StoreQuantised<S>(x, a.width, a.out + begin, a.out_scale + row);
}

template <class R, class T>
struct NormBackward {
  const R* x;           // what was normed
  const T* d_out;       // gradient of the normed rows
  const R* d_residual;  // gradient of x from elsewhere, or null
  const T* y;           // null: there was none
  const float* gate;    // null: one
  const float* scale;
  const float2* stats;
  R* d_x;
  T* d_y;
  float* d_shift;  // sums of the parts: [runs * parts, D]
  float* d_scale;
  float* d_gate;  // null without gate
  unsigned rows_per_gate, rows_per_norm, rows_per_run, parts;
  int width;
};

// One vector of the gradient: from that of the sum to that of y, adding to the gate's.
template <class S, class R, class T>
__device__ inline void ThroughGate(const NormBackward<R, T>& a, int64_t offset, int64_t gate_offset,
                                   float (&d)[S::kVector], float (&d_gate)[S::kVector]) {
  float y[S::kVector], gate[S::kVector];
  Load<S::kAligned>(a.y + offset, y);
  Load<S::kAligned, Use::kShared>(a.gate + gate_offset, gate);
#pragma unroll
  for (int i = 0; i < S::kVector; ++i) {
    d_gate[i] = fmaf(d[i], y[i], d_gate[i]);
    d[i] *= gate[i];
  }
}

template <class S, class R, class T>
__global__ void __launch_bounds__(S::kMaxThreads) NormBackwardKernel(const NormBackward<R, T> a) {
  const RowRange rows = RowsOfPart(a.rows_per_run, a.parts);
  const float n = static_cast<float>(a.width);
  float d_shift[S::kSteps][S::kVector] = {};
  float d_scale[S::kSteps][S::kVector] = {};
  float d_gate[S::kSteps][S::kVector] = {};
  for (unsigned row = rows.begin; row < rows.end; ++row) {
    const int64_t begin = static_cast<int64_t>(row) * a.width;
    const int64_t group = static_cast<int64_t>(row / a.rows_per_norm) * a.width;
    const float2 stats = a.stats[row];
    float x[S::kSteps][S::kVector];  // normalised
    float d[S::kSteps][S::kVector];  // its gradient
    ForEachVector<S>(a.width, [&](int step, int column) {
      Load<S::kAligned>(a.x + begin + column, x[step]);
      Load<S::kAligned>(a.d_out + begin + column, d[step]);
    });
    float sums[2] = {0.0f, 0.0f};
    ForEachVector<S>(a.width, [&](int step, int column) {
      float scale[S::kVector];
      Load<S::kAligned, Use::kShared>(a.scale + group + column, scale);
#pragma unroll
      for (int i = 0; i < S::kVector; ++i) {
        x[step][i] = (x[step][i] - stats.x) * stats.y;
        d_shift[step][i] += d[step][i];
        d_scale[step][i] = fmaf(d[step][i], x[step][i], d_scale[step][i]);
        d[step][i] *= 1.0f + scale[i];
        sums[0] += d[step][i];
        sums[1] = fmaf(d[step][i], x[step][i], sums[1]);
      }
    });
    BlockSum(sums, static_cast<int>((row - rows.begin) % 2));
    const int64_t gates =
        a.gate == nullptr ? 0 : static_cast<int64_t>(row / a.rows_per_gate) * a.width;
    ForEachVector<S>(a.width, [&](int step, int column) {
      float other[S::kVector];
      if (a.d_residual != nullptr) Load<S::kAligned>(a.d_residual + begin + column, other);
#pragma unroll
      for (int i = 0; i < S::kVector; ++i) {
        d[step][i] = stats.y * (d[step][i] - sums[0] / n - x[step][i] * (sums[1] / n)) +
                     (a.d_residual == nullptr ? 0.0f : other[i]);
      }
      Store<S::kAligned>(d[step], a.d_x + begin + column);
      if (a.y == nullptr) return;
      if (a.gate != nullptr)
        ThroughGate<S>(a, begin + column, gates + column, d[step], d_gate[step]);
      Store<S::kAligned>(d[step], a.d_y + begin + column);
    });
  }
  const int64_t part = static_cast<int64_t>(blockIdx.x) * a.width;
  ForEachVector<S>(a.width, [&](int step, int column) {
    Store<S::kAligned>(d_shift[step], a.d_shift + part + column);
    Store<S::kAligned>(d_scale[step], a.d_scale + part + column);
    if (a.d_gate != nullptr) Store<S::kAligned>(d_gate[step], a.d_gate + part + column);
  });
}

void CheckModulation(const at::Tensor& x, const Modulation& modulation) {
  AIM_CHECK(modulation.shift.scalar_type() == at::kFloat &&
            modulation.scale.scalar_type() == at::kFloat);
  AIM_CHECK(modulation.shift.sizes() == modulation.scale.sizes());
  const at::Tensor& camera = modulation.camera;
  if (!camera.defined()) return;
  AIM_CHECK(camera.scalar_type() == at::kFloat || camera.scalar_type() == at::kBFloat16);
  AIM_CHECK(camera.size(0) == x.size(0));
}

void CheckGate(const at::Tensor& y, const at::Tensor& gate, const at::Tensor& x) {
  CheckRows(y, x);
  AIM_CHECK(!gate.defined() || gate.scalar_type() == at::kFloat);
}

// What a forward kernel writes; undefined where it does not.
struct NormOutputs {
  at::Tensor residual, rows, scale, stats;
};

template <class R, class T, class O>
void RunForward(const at::Tensor& residual, const at::Tensor& y, const at::Tensor& gate,
                const Modulation& modulation, double eps, const NormOutputs& outputs) {
  const at::Tensor& camera = modulation.camera;
  NormForward<R, T, O> a{};
  a.residual = Pointer<R>(residual);
  a.y = Pointer<T>(y);
  a.gate = Pointer<float>(gate);
  a.shift = Pointer<float>(modulation.shift);
  a.scale = Pointer<float>(modulation.scale);
  a.new_residual = MutablePointer<R>(outputs.residual);
  a.out = MutablePointer<O>(outputs.rows);
  a.out_scale = MutablePointer<float>(outputs.scale);
  a.stats = MutablePointer<float2>(outputs.stats);
  a.rows_per_gate = gate.defined() ? RowsPerGroup(gate, residual) : 1;
  a.rows_per_norm = RowsPerGroup(modulation.shift, residual);
  RowsPerGroup(modulation.scale, residual);
  if (camera.defined()) {
    a.camera = {camera.const_data_ptr(), camera.scalar_type() == at::kFloat};
    a.rows_per_camera = RowsPerGroup(camera, residual);
  }
  a.width = static_cast<int>(residual.size(2));
  a.eps = static_cast<float>(eps);
  const bool aligned = AreAligned({residual, y, gate, modulation.shift, modulation.scale, camera,
                                   outputs.residual, outputs.rows});
  const dim3 grid(static_cast<unsigned>(residual.size(0) * residual.size(1)));
  ForShape<kVectorOf<R, T>>(a.width, aligned, [&](auto shape, unsigned threads) {
    Launch(NormForwardKernel<decltype(shape), R, T, O>, grid, threads, a);
  });
}

Normed EmptyNormed(const at::Tensor& x, at::ScalarType dtype) {
  const int64_t num_rows = x.size(0) * x.size(1);
  return {at::empty(x.sizes(), x.options().dtype(dtype)),
          at::empty({num_rows, 2}, x.options().dtype(at::kFloat))};
}

// Sums of parts [runs * parts, D] as the gradient of `modulation`, whose groups are whole runs.
at::Tensor JoinParts(const at::Tensor& parts, const at::Tensor& modulation) {
  const int64_t groups = modulation.size(0) * modulation.size(1), width = modulation.size(2);
  if (parts.size(0) == 0) return at::zeros(modulation.sizes(), parts.options());
  if (parts.size(0) == groups) return parts.view(modulation.sizes());
  return parts.view({groups, -1, width}).sum(1).view(modulation.sizes());
}

at::Tensor CameraGradient(const at::Tensor& d_rows, const at::Tensor& camera) {
  if (!camera.defined()) return {};
  const int64_t tokens = camera.size(1);
  if (tokens == d_rows.size(1)) return d_rows.to(camera.scalar_type());
  return d_rows.view({d_rows.size(0), tokens, d_rows.size(1) / tokens, d_rows.size(2)})
      .sum(2, /*keepdim=*/false, at::kFloat)
      .to(camera.scalar_type());
}

template <class R, class T>
GatedAddNormGradients RunBackward(const at::Tensor& d_residual, const at::Tensor& d_rows,
                                  const GatedAddNormSaved& saved) {
  const at::Tensor& x = saved.residual;
  const int64_t width = x.size(2);
  NormBackward<R, T> a{};
  a.rows_per_gate = saved.gate.defined() ? RowsPerGroup(saved.gate, x) : 0;
  a.rows_per_norm = RowsPerGroup(saved.modulation.scale, x);
  a.rows_per_run = std::gcd(a.rows_per_gate, a.rows_per_norm);
  const int64_t num_rows = x.size(0) * x.size(1);
  const int64_t num_runs = num_rows / std::max(a.rows_per_run, 1u);
  a.parts = PartsOf(num_runs, a.rows_per_run, width);
  const at::TensorOptions floats = x.options().dtype(at::kFloat);
  const auto empty_parts = [&] { return at::empty({num_runs * a.parts, width}, floats); };
  const at::Tensor d_shift = empty_parts(), d_scale = empty_parts();
  const at::Tensor d_gate = saved.gate.defined() ? empty_parts() : at::Tensor();

  GatedAddNormGradients gradients;
  gradients.d_residual = at::empty_like(x);
  if (saved.y.defined()) gradients.d_y = at::empty_like(saved.y);
  a.x = Pointer<R>(x);
  a.d_out = Pointer<T>(d_rows);
  a.d_residual = Pointer<R>(d_residual);
  a.y = Pointer<T>(saved.y);
  a.gate = Pointer<float>(saved.gate);
  a.scale = Pointer<float>(saved.modulation.scale);
  a.stats = Pointer<float2>(saved.stats);
  a.d_x = MutablePointer<R>(gradients.d_residual);
  a.d_y = MutablePointer<T>(gradients.d_y);
  a.d_shift = MutablePointer<float>(d_shift);
  a.d_scale = MutablePointer<float>(d_scale);
  a.d_gate = MutablePointer<float>(d_gate);
  a.width = static_cast<int>(width);
  const bool aligned = AreAligned({x, d_rows, d_residual, saved.y, saved.gate,
                                   saved.modulation.scale, gradients.d_residual, gradients.d_y});
  const dim3 grid(static_cast<unsigned>(num_runs * a.parts));
  ForShape<kVectorOf<R, T>>(width, aligned, [&](auto shape, unsigned threads) {
    Launch(NormBackwardKernel<decltype(shape), R, T>, grid, threads, a);
  });
  gradients.modulation.d_shift = JoinParts(d_shift, saved.modulation.scale);
  gradients.modulation.d_scale = JoinParts(d_scale, saved.modulation.scale);
  if (saved.gate.defined()) gradients.d_gate = JoinParts(d_gate, saved.gate);
  gradients.modulation.d_camera = CameraGradient(d_rows, saved.modulation.camera);
  return gradients;
}

// body(TypeTag<residual's>, TypeTag<rows'>)
template <class Body>
void ForTypes(at::ScalarType residual, at::ScalarType rows, const Body& body) {
  ForType(residual, [&](auto first) { ForType(rows, [&](auto second) { body(first, second); }); });
}

}  // namespace

Normed ModulatedNorm(const at::Tensor& x, const Modulation& modulation, at::ScalarType out_dtype,
                     double eps) {
  CheckRows(x, x);
  CheckModulation(x, modulation);
  const c10::cuda::CUDAGuard guard(x.device());
  const Normed normed = EmptyNormed(x, out_dtype);
  ForTypes(x.scalar_type(), out_dtype, [&](auto residual, auto rows) {
    using T = typename decltype(rows)::Type;
    RunForward<typename decltype(residual)::Type, T, T>(x, {}, {}, modulation, eps,
                                                        {{}, normed.rows, {}, normed.stats});
  });
  return normed;
}

ScaledRows ScaledModulatedNorm(const at::Tensor& x, const Modulation& modulation, double eps) {
  CheckRows(x, x);
  CheckModulation(x, modulation);
  const c10::cuda::CUDAGuard guard(x.device());
  const ScaledRows out = EmptyScaledRows(x);
  ForType(x.scalar_type(), [&](auto residual) {
    RunForward<typename decltype(residual)::Type, Bf16, E4m3>(x, {}, {}, modulation, eps,
                                                              {{}, out.values, out.scale, {}});
  });
  return out;
}

ModulatedNormGradients ModulatedNormBackward(const at::Tensor& d_rows, const at::Tensor& x,
                                             const Modulation& modulation,
                                             const at::Tensor& stats) {
  const GatedAddNormGradients gradients =
      GatedAddNormBackward({}, d_rows, {x, stats, {}, {}, modulation});
  return {gradients.d_residual, gradients.modulation};
}

GatedAddNormed GatedAddNorm(const at::Tensor& residual, const at::Tensor& y, const at::Tensor& gate,
                            const Modulation& modulation, double eps) {
  CheckRows(residual, residual);
  CheckGate(y, gate, residual);
  CheckModulation(residual, modulation);
  const c10::cuda::CUDAGuard guard(residual.device());
  const GatedAddNormed out{at::empty_like(residual), EmptyNormed(residual, y.scalar_type())};
  ForTypes(residual.scalar_type(), y.scalar_type(), [&](auto first, auto second) {
    using T = typename decltype(second)::Type;
    RunForward<typename decltype(first)::Type, T, T>(
        residual, y, gate, modulation, eps, {out.residual, out.normed.rows, {}, out.normed.stats});
  });
  return out;
}

ResidualAndScaledNorm ScaledGatedAddNorm(const at::Tensor& residual, const at::Tensor& y,
                                         const at::Tensor& gate, const Modulation& modulation,
                                         double eps) {
  CheckRows(residual, residual);
  CheckGate(y, gate, residual);
  AIM_CHECK(y.scalar_type() == at::kBFloat16);
  CheckModulation(residual, modulation);
  const c10::cuda::CUDAGuard guard(residual.device());
  const ResidualAndScaledNorm out{at::empty_like(residual), EmptyScaledRows(residual)};
  ForType(residual.scalar_type(), [&](auto type) {
    RunForward<typename decltype(type)::Type, Bf16, E4m3>(
        residual, y, gate, modulation, eps,
        {out.residual, out.normed.values, out.normed.scale, {}});
  });
  return out;
}

GatedAddNormGradients GatedAddNormBackward(const at::Tensor& d_residual, const at::Tensor& d_rows,
                                           const GatedAddNormSaved& saved) {
  const at::Tensor& x = saved.residual;
  CheckRows(x, x);
  CheckRows(d_rows, x);
  CheckModulation(x, saved.modulation);
  if (saved.y.defined()) {
    CheckGate(saved.y, saved.gate, x);
    AIM_CHECK(saved.y.scalar_type() == d_rows.scalar_type());
  }
  if (d_residual.defined()) {
    CheckRows(d_residual, x);
    AIM_CHECK(d_residual.scalar_type() == x.scalar_type());
  }
  const c10::cuda::CUDAGuard guard(x.device());
  GatedAddNormGradients gradients;
  ForTypes(x.scalar_type(), d_rows.scalar_type(), [&](auto first, auto second) {
    gradients = RunBackward<typename decltype(first)::Type, typename decltype(second)::Type>(
        d_residual, d_rows, saved);
  });
  return gradients;
}

}  // namespace aim::cuda
