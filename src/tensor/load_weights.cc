#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <set>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/format/zip_archive.h"
#include "aim/tensor/weight_file.h"
#include "tensor/finite.h"
#include "tensor/mapped_tensor.h"

namespace aim {
namespace {

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
