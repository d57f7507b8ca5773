#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <set>
#include <utility>

#include "aim/base/error.h"
#include "aim/tensor/weight_file.h"
#include "tensor/mapped_tensor.h"
#include "tensor/zip_archive.h"

namespace aim {
namespace {

// Elements of an eight-bit type that are widened in one go.
constexpr int64_t kChunk = 1 << 18;

// NaN and Inf are the numbers whose exponent bits are all set. One pass, no temporaries, no threads
// to wait for: it is as fast as memory is read.
template <class Word>
bool NoneHasBits(const void* data, int64_t count, Word exponent) {
  const Word* words = static_cast<const Word*>(data);
  constexpr int64_t kBlock = 4096;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = std::min(begin + kBlock, count);
    bool is_broken = false;
    for (int64_t i = begin; i < end; ++i) is_broken |= (words[i] & exponent) == exponent;
    if (is_broken) return false;
  }
  return true;
}

// Needs no second tensor of the weight's size, unless it is not contiguous.
bool HasOnlyFinite(const at::Tensor& weight) {
  if (!weight.is_floating_point() || weight.numel() == 0) return true;
  if (!weight.device().is_cpu()) return weight.isfinite().all().item<bool>();
  const at::Tensor flat = weight.reshape({-1});
  const void* data = flat.const_data_ptr();
  switch (flat.scalar_type()) {
    case at::kDouble:
      return NoneHasBits<uint64_t>(data, flat.numel(), 0x7ff0000000000000);
    case at::kFloat:
      return NoneHasBits<uint32_t>(data, flat.numel(), 0x7f800000);
    case at::kHalf:
      return NoneHasBits<uint16_t>(data, flat.numel(), 0x7c00);
    case at::kBFloat16:
      return NoneHasBits<uint16_t>(data, flat.numel(), 0x7f80);
    default:
      break;
  }
  for (int64_t begin = 0; begin < flat.numel(); begin += kChunk) {
    const at::Tensor chunk = flat.slice(0, begin, std::min(begin + kChunk, flat.numel()));
    const at::Tensor wide = chunk.to(at::kFloat);
    if (!NoneHasBits<uint32_t>(wide.const_data_ptr(), wide.numel(), 0x7f800000)) return false;
  }
  return true;
}

// CRCs of records, each compared once though many tensors may view it.
class RecordCheck {
 public:
  void Check(const MappedPiece& piece) {
    if (!piece.crc || !checked_.emplace(piece.file.get(), piece.begin).second) return;
    CheckCrc(piece.bytes(), *piece.crc, piece.where);
  }

 private:
  std::set<std::pair<const MappedFile*, size_t>> checked_;
};

std::string Join(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

}  // namespace

void CheckRecords(const WeightMap& mapped) {
  RecordCheck records;
  for (const auto& [name, weight] : mapped) {
    const MappedPiece* piece = PieceOf(weight);
    if (piece == nullptr || !piece->crc) continue;
    records.Check(*piece);
    piece->file->Release(piece->begin, piece->size_bytes);
  }
}

WeightMap LoadWeights(const WeightMap& mapped, at::ScalarType dtype, c10::Device device,
                      const std::string& where) {
  c10::NoGradGuard no_grad;
  RecordCheck records;
  WeightMap loaded;
  std::vector<std::string> broken;
  std::vector<std::string> overflowed;
  for (const auto& [name, weight] : mapped) {
    const MappedPiece* piece = PieceOf(weight);
    if (piece != nullptr) records.Check(*piece);
    const at::ScalarType target = weight.is_floating_point() ? dtype : weight.scalar_type();
    const bool fits =
        weight.scalar_type() == target && weight.device() == device && weight.is_contiguous();
    if (!HasOnlyFinite(weight)) {
      broken.push_back(name);
    } else if (fits) {
      loaded[name] = weight;
    } else {
      at::Tensor copy = at::empty(weight.sizes(), weight.options().dtype(target).device(device));
      copy.copy_(weight);
      const bool narrows = static_cast<int64_t>(c10::elementSize(target)) < weight.element_size() ||
                           (target == at::kHalf && weight.scalar_type() == at::kBFloat16);
      if (narrows && !HasOnlyFinite(copy)) overflowed.push_back(name);
      loaded[name] = std::move(copy);
    }
    if (piece != nullptr && !fits) piece->file->Release(piece->begin, piece->size_bytes);
  }
  if (!broken.empty()) {
    throw InputError({.where = where,
                      .got = "holding NaN or Inf in " + Join(broken),
                      .expected = "finite weights",
                      .fix = "the training that wrote it diverged or the file is damaged"});
  }
  if (!overflowed.empty()) {
    throw InputError({.where = where,
                      .got = "holding values that " + std::string(c10::toString(dtype)) +
                             " cannot in " + Join(overflowed),
                      .expected = "values that it can hold",
                      .fix = "use bfloat16 or float32"});
  }
  return loaded;
}

}  // namespace aim
