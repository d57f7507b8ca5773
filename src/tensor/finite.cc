#include "tensor/finite.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "tensor/finite_loops.h"

namespace aim {
namespace {

// Elements of an eight-bit type that are widened in one go.
constexpr int64_t kChunk = 1 << 18;

template <class Word>
bool NoneOfThemHasBits(const void* data, int64_t count, Word exponent) {
  return NoneHasBits(static_cast<const Word*>(data), count, exponent);
}

}  // namespace

bool HasOnlyFinite(const at::Tensor& weight) {
  if (!weight.is_floating_point() || weight.numel() == 0) return true;
  if (!weight.device().is_cpu()) return weight.isfinite().all().item<bool>();
  const at::Tensor flat = weight.reshape({-1});
  const void* data = flat.const_data_ptr();
  switch (flat.scalar_type()) {
    case at::kDouble:
      return NoneOfThemHasBits<uint64_t>(data, flat.numel(), 0x7ff0000000000000);
    case at::kFloat:
      return NoneOfThemHasBits<uint32_t>(data, flat.numel(), 0x7f800000);
    case at::kHalf:
      return NoneOfThemHasBits<uint16_t>(data, flat.numel(), 0x7c00);
    case at::kBFloat16:
      return NoneOfThemHasBits<uint16_t>(data, flat.numel(), 0x7f80);
    default:
      break;
  }
  for (int64_t begin = 0; begin < flat.numel(); begin += kChunk) {
    const at::Tensor chunk = flat.slice(0, begin, std::min(begin + kChunk, flat.numel()));
    const at::Tensor wide = chunk.to(at::kFloat);
    if (!NoneOfThemHasBits<uint32_t>(wide.const_data_ptr(), wide.numel(), 0x7f800000)) return false;
  }
  return true;
}

}  // namespace aim
