// What a device has to bring for the operations of rows.h: a table of functions, one file a device
// (rows_cpu.cc, rows_cuda.cc), and its line in BackendFor. Tensors arrive contiguous, f32 or bf16,
// on the device, with shapes checked; undefined tensors stand for absent arguments. No function
// knows gradients: the `...Backward` ones are what rows.cc calls for them.
#pragma once

#include <ATen/core/Tensor.h>

#include "aim/kernels/scaled_rows.h"

namespace aim {

struct NormForward {
  at::Tensor out;
  at::Tensor stats;  // [B N, 2] f32: mean and 1 / sqrt(variance + eps) of each row
};

// A camera's gradient is that of `out`, added up over its tokens, so it is not among these.
struct NormBackward {
  at::Tensor d_x;
  at::Tensor d_shift;  // [B, G, D] f32
  at::Tensor d_scale;
};

struct GatedAddBackward {
  at::Tensor d_y;
  at::Tensor d_gate;  // undefined without a gate
};

struct GatedAddNormForward {
  at::Tensor residual;
  at::Tensor normed;
  at::Tensor stats;  // of the residual's rows, as above
};

struct NormRopeForward {
  at::Tensor out;
  at::Tensor inv_rms;  // [B N] f32
};

struct NormRopeBackward {
  at::Tensor d_x;
  at::Tensor d_weight;  // [D] f32
};

struct RowBackend {
  NormForward (*modulated_norm)(const at::Tensor& x, const at::Tensor& shift,
                                const at::Tensor& scale, const at::Tensor& camera,
                                at::ScalarType out_dtype, double eps);
  NormBackward (*modulated_norm_backward)(const at::Tensor& x, const at::Tensor& scale,
                                          const at::Tensor& stats, const at::Tensor& d_out);

  at::Tensor (*gated_add)(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate);
  GatedAddBackward (*gated_add_backward)(const at::Tensor& y, const at::Tensor& gate,
                                         const at::Tensor& d_out);

  GatedAddNormForward (*gated_add_norm)(const at::Tensor& x, const at::Tensor& y,
                                        const at::Tensor& gate, const at::Tensor& shift,
                                        const at::Tensor& scale, const at::Tensor& camera,
                                        at::ScalarType out_dtype, double eps);

  NormRopeForward (*norm_rope)(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& cos,
                               const at::Tensor& sin, int64_t num_heads, double eps);
  NormRopeBackward (*norm_rope_backward)(const at::Tensor& x, const at::Tensor& weight,
                                         const at::Tensor& cos, const at::Tensor& sin,
                                         const at::Tensor& inv_rms, int64_t num_heads,
                                         const at::Tensor& d_out);

  at::Tensor (*gelu_tanh)(const at::Tensor& x);
  at::Tensor (*gelu_tanh_backward)(const at::Tensor& x, const at::Tensor& d_out);

  // scaled_rows.h; all null where they are those above and a pass of QuantiseRows. y is bf16.
  ScaledRows (*scaled_modulated_norm)(const at::Tensor& x, const at::Tensor& shift,
                                      const at::Tensor& scale, const at::Tensor& camera,
                                      double eps) = nullptr;
  ResidualAndScaledNorm (*scaled_gated_add_norm)(const at::Tensor& x, const at::Tensor& y,
                                                 const at::Tensor& gate, const at::Tensor& shift,
                                                 const at::Tensor& scale, const at::Tensor& camera,
                                                 double eps) = nullptr;
  ScaledRows (*scaled_gelu_tanh)(const at::Tensor& x) = nullptr;
};

extern const RowBackend kCpuRows;   // rows_cpu.cc
extern const RowBackend kCudaRows;  // rows_cuda.cc, where our CUDA kernels are built

// The table for tensors like `x`, or null: rows_plain.h serves them.
const RowBackend* BackendFor(const at::Tensor& x);

}  // namespace aim
