// The row-wise pieces of a transformer block on an NVIDIA GPU: one launch each, a row is read once,
// kept in registers in float32 and written once. Functions on tensors, no gradients recorded: the
// operations that call them know what their backward needs.
//
// Rows: [B, N, D], D a multiple of 8 up to kMaxWidth, float32 or bfloat16, contiguous unless said
// otherwise. Modulation: float32 [B, G, D] or, one for all, [1, 1, D]; N is a multiple of G and
// group g modulates tokens [g N / G, (g + 1) N / G). Every tensor on the device of the first. Sums
// over rows are added in an order that depends on the sizes alone. Where all pointers are multiples
// of 16 bytes accesses are vectors, else single numbers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "aim/kernels/scaled_rows.h"

namespace aim::cuda {

constexpr int64_t kMaxWidth = 16384;

// Rows of a width that the kernels take: a multiple of 8, at most kMaxWidth.
bool HasFittingRows(const at::Tensor& x);

// 90 of 9.0.
int ComputeCapability(c10::Device device);

// What follows a layer norm without weights: LN(x) (1 + scale) + shift (+ camera).
struct Modulation {
  at::Tensor shift;   // [B, G, D] or [1, 1, D]
  at::Tensor scale;   // the same
  at::Tensor camera;  // undefined, or [B, C, D] float32 or bfloat16, each row added to N / C tokens
};

struct Normed {
  at::Tensor rows;   // [B, N, D]
  at::Tensor stats;  // [B * N, 2] float32: mean and 1 / standard deviation, for the backward
};

struct ModulationGradients {
  at::Tensor d_shift, d_scale;  // float32, shaped as the modulation
  at::Tensor d_camera;          // of the camera's shape and type; undefined without camera
};

// x [B, N, D]; returns rows in `out_dtype`.
Normed ModulatedNorm(const at::Tensor& x, const Modulation& modulation, at::ScalarType out_dtype,
                     double eps);

struct ModulatedNormGradients {
  at::Tensor d_x;  // x's type
  ModulationGradients modulation;
};
ModulatedNormGradients ModulatedNormBackward(const at::Tensor& d_rows, const at::Tensor& x,
                                             const Modulation& modulation, const at::Tensor& stats);

// x + y gate in x's type; x and y [B, N, D], each in any of the two types.
at::Tensor GatedAdd(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate);

// The gradient of x is `d_out` itself, of x's type.
struct GatedAddGradients {
  at::Tensor d_y;     // y's type
  at::Tensor d_gate;  // float32, shaped as the gate
};
GatedAddGradients GatedAddBackward(const at::Tensor& d_out, const at::Tensor& y,
                                   const at::Tensor& gate);

// residual + y gate, rounded to the residual's type, and the modulated norm of that in y's type.
// An undefined gate stands for one. The groups of gate and modulation may differ in number.
struct GatedAddNormed {
  at::Tensor residual;
  Normed normed;
};
GatedAddNormed GatedAddNorm(const at::Tensor& residual, const at::Tensor& y, const at::Tensor& gate,
                            const Modulation& modulation, double eps);

// What the backward of GatedAddNorm reads: its inputs and what it returned.
struct GatedAddNormSaved {
  at::Tensor residual;  // the new one
  at::Tensor stats;
  at::Tensor y, gate;
  Modulation modulation;
};
struct GatedAddNormGradients {
  at::Tensor d_residual;  // its type
  at::Tensor d_y;         // y's type
  at::Tensor d_gate;      // undefined without gate
  ModulationGradients modulation;
};
// `d_residual` is undefined where nothing else reads the new residual.
GatedAddNormGradients GatedAddNormBackward(const at::Tensor& d_residual, const at::Tensor& d_rows,
                                           const GatedAddNormSaved& saved);

// The rotation of the interleaved pairs of each head; none where `cos` is undefined.
struct Rotation {
  at::Tensor cos, sin;    // [N, head_dim / 2] float32
  int64_t num_heads = 1;  // D = num_heads * head_dim
};

// x [B, N, D] whose rows may lie apart, as the parts of one matrix product do: stride(2) = 1,
// stride(0) = N stride(1). weight [D] float32.
struct RopeInput {
  at::Tensor x, weight;
};
struct RopeOutput {
  at::Tensor rows;     // [B, N, D], contiguous, x's type
  at::Tensor inv_rms;  // [B * N] float32, for the backward
};
// RMSNorm over the full width, then the rotation: of one tensor or of two of equal shape, type and
// strides (query and key) in one launch.
std::vector<RopeOutput> NormRope(const std::vector<RopeInput>& inputs, const Rotation& rotation,
                                 double eps);

struct RopeBackwardInput {
  at::Tensor d_rows, x, weight, inv_rms;
};
struct RopeGradients {
  at::Tensor d_x;       // [B, N, D], contiguous, x's type
  at::Tensor d_weight;  // [D] float32
};
std::vector<RopeGradients> NormRopeBackward(const std::vector<RopeBackwardInput>& inputs,
                                            const Rotation& rotation);

// GELU in its tanh form; any shape, contiguous.
at::Tensor GeluTanh(const at::Tensor& x);
void GeluTanhInPlace(at::Tensor& x);  // where no gradient will ask for x
at::Tensor GeluTanhBackward(const at::Tensor& d_out, const at::Tensor& x);

// Rows as eight-bit floats with a scale each, as aim::QuantiseRows: of [..., D] contiguous; of its
// GELU; and of what the norms above make, before it is rounded to another type. y is bfloat16.
ScaledRows QuantiseRows(const at::Tensor& x);
ScaledRows ScaledGeluTanh(const at::Tensor& x);
ScaledRows ScaledModulatedNorm(const at::Tensor& x, const Modulation& modulation, double eps);
ResidualAndScaledNorm ScaledGatedAddNorm(const at::Tensor& residual, const at::Tensor& y,
                                         const at::Tensor& gate, const Modulation& modulation,
                                         double eps);

}  // namespace aim::cuda
