#include "aim/kernels/attention.h"

#include <ATen/ATen.h>

#include "aim/base/error.h"
#include "kernels/attention_cpu.h"
#ifdef AIM_HAS_CUDA
#include "kernels/attention_cuda.h"
#endif

namespace aim {

at::Tensor AttendPlain(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                       const at::Tensor& key_bias) {
  std::optional<at::Tensor> mask;
  if (key_bias.defined()) mask = key_bias.to(query.scalar_type()).unsqueeze(1).unsqueeze(1);
  const at::Tensor out = at::scaled_dot_product_attention(query, key, value, mask);
  return out.transpose(1, 2).flatten(2);
}

at::Tensor Attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                  const at::Tensor& key_bias) {
  AIM_CHECK(query.dim() == 4 && key.sizes() == value.sizes() && query.size(3) == key.size(3));
  if (AttendCpuFits(query, key, value)) return AttendCpu(query, key, value, key_bias);
#ifdef AIM_HAS_CUDA
  if (query.is_cuda() && !key_bias.defined()) {
    if (const std::optional<at::Tensor> out = AttendByName(query, key, value))
      return out->transpose(1, 2).flatten(2);
  }
#endif
  return AttendPlain(query, key, value, key_bias);
}

}  // namespace aim
