#include "aim/kernels/scaled_rows.h"

#include <ATen/ATen.h>

#include "aim/base/error.h"
#include "aim/kernels/rows.h"
#include "kernels/row_backend.h"

namespace aim {
namespace {

at::Tensor ContiguousIfDefined(const at::Tensor& x) { return x.defined() ? x.contiguous() : x; }

// The table whose kernels quantise in the same pass, or null.
const RowBackend* QuantisingBackend(const at::Tensor& x) {
  const RowBackend* backend = BackendFor(x);
  return backend != nullptr && backend->scaled_gelu_tanh != nullptr ? backend : nullptr;
}

}  // namespace

ScaledRows ScaledModulatedNorm(const at::Tensor& x, const at::Tensor& shift,
                               const at::Tensor& scale, const at::Tensor& camera, double eps) {
  if (const RowBackend* backend = QuantisingBackend(x)) {
    return backend->scaled_modulated_norm(x.contiguous(), shift.contiguous(), scale.contiguous(),
                                          ContiguousIfDefined(camera), eps);
  }
  return QuantiseRows(ModulatedNorm(x, shift, scale, camera, at::kFloat, eps));
}

ResidualAndScaledNorm ScaledGatedAddNorm(const at::Tensor& x, const at::Tensor& y,
                                         const at::Tensor& gate, const at::Tensor& shift,
                                         const at::Tensor& scale, const at::Tensor& camera,
                                         double eps) {
  const RowBackend* backend = QuantisingBackend(x);
  if (backend != nullptr && y.scalar_type() == at::kBFloat16) {
    return backend->scaled_gated_add_norm(x.contiguous(), y.contiguous(), ContiguousIfDefined(gate),
                                          shift.contiguous(), scale.contiguous(),
                                          ContiguousIfDefined(camera), eps);
  }
  const ResidualAndNorm sum = GatedAddNorm(x, y, gate, shift, scale, camera, at::kFloat, eps);
  return {sum.residual, QuantiseRows(sum.normed)};
}

ScaledRows ScaledGeluTanh(const at::Tensor& x) {
  if (const RowBackend* backend = QuantisingBackend(x))
    return backend->scaled_gelu_tanh(x.contiguous());
  return QuantiseRows(GeluTanh(x.to(at::kFloat)));
}

}  // namespace aim
