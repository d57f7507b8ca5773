#include "row_kernels.h"

#include "aim/kernels/rows_plain.h"

namespace aim::row_ops {

#ifdef AIM_ROW_KERNELS

at::Tensor ModulatedNorm(const at::Tensor& x, const cuda::Modulation& modulation,
                         at::ScalarType out_dtype) {
  return cuda::ModulatedNorm(x, modulation, out_dtype, kEps).rows;
}

at::Tensor GatedAdd(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  return cuda::GatedAdd(x, y, gate);
}

Added GatedAddNorm(const at::Tensor& residual, const at::Tensor& y, const at::Tensor& gate,
                   const cuda::Modulation& modulation) {
  const cuda::GatedAddNormed out = cuda::GatedAddNorm(residual, y, gate, modulation, kEps);
  return {out.residual, out.normed.rows};
}

std::vector<at::Tensor> NormRope(const std::vector<at::Tensor>& x,
                                 const std::vector<at::Tensor>& weights,
                                 const cuda::Rotation& rotation) {
  std::vector<cuda::RopeInput> inputs;
  for (size_t i = 0; i < x.size(); ++i) inputs.push_back({x[i], weights[i]});
  std::vector<at::Tensor> rows;
  for (const cuda::RopeOutput& output : cuda::NormRope(inputs, rotation, kEps))
    rows.push_back(output.rows);
  return rows;
}

void GeluTanhInPlace(at::Tensor& x) { cuda::GeluTanhInPlace(x); }

#else

at::Tensor ModulatedNorm(const at::Tensor& x, const cuda::Modulation& modulation,
                         at::ScalarType out_dtype) {
  return ModulatedNormPlain(x, modulation.shift, modulation.scale, modulation.camera, out_dtype,
                            kEps);
}

at::Tensor GatedAdd(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  return GatedAddPlain(x, y, gate);
}

Added GatedAddNorm(const at::Tensor& residual, const at::Tensor& y, const at::Tensor& gate,
                   const cuda::Modulation& modulation) {
  const at::Tensor sum = gate.defined() ? GatedAddPlain(residual, y, gate) : residual + y;
  return {sum, ModulatedNorm(sum, modulation, y.scalar_type())};
}

std::vector<at::Tensor> NormRope(const std::vector<at::Tensor>& x,
                                 const std::vector<at::Tensor>& weights,
                                 const cuda::Rotation& rotation) {
  std::vector<at::Tensor> rows;
  for (size_t i = 0; i < x.size(); ++i) {
    rows.push_back(
        NormRopePlain(x[i], weights[i], rotation.cos, rotation.sin, rotation.num_heads, kEps));
  }
  return rows;
}

void GeluTanhInPlace(at::Tensor& x) { x = GeluTanhPlain(x); }

#endif

}  // namespace aim::row_ops
