#include "tensor/mapped_tensor.h"

#include <ATen/ATen.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cstring>

#include "aim/base/error.h"
#include "aim/format/byte_reader.h"
#include "aim/format/zip_archive.h"

namespace aim {
namespace {

void DeletePiece(void* piece) { delete static_cast<MappedPiece*>(piece); }

}  // namespace

std::optional<int64_t> CountElements(const std::vector<int64_t>& shape) {
  if (std::ranges::find(shape, 0) != shape.end()) return 0;
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (__builtin_mul_overflow(count, size, &count)) return std::nullopt;
  }
  return count;
}

std::optional<int64_t> SpannedElements(const TensorLayout& layout) {
  if (std::ranges::find(layout.shape, 0) != layout.shape.end()) return 0;
  int64_t count = 1;
  for (size_t axis = 0; axis < layout.shape.size(); ++axis) {
    int64_t span = 0;
    if (__builtin_mul_overflow(layout.shape[axis] - 1, layout.strides[axis], &span) ||
        __builtin_add_overflow(count, span, &count)) {
      return std::nullopt;
    }
  }
  return count;
}

std::vector<int64_t> ContiguousStrides(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t axis = shape.size(); axis-- > 1;) {
    strides[axis - 1] = strides[axis] * std::max<int64_t>(shape[axis], 1);
  }
  return strides;
}

at::Tensor MapTensor(const MappedPiece& piece, const TensorLayout& layout) {
  const int64_t item_bytes = static_cast<int64_t>(c10::elementSize(layout.dtype));
  const std::optional<int64_t> span = SpannedElements(layout);
  AIM_CHECK(span && Fits(static_cast<size_t>(layout.offset), static_cast<size_t>(*span),
                         piece.size_bytes / static_cast<size_t>(item_bytes)));
  if (*span == 0) return at::empty(layout.shape, layout.dtype);
  std::byte* data = piece.file->data() + piece.begin + layout.offset * item_bytes;
  if (reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(item_bytes) != 0) {
    // The copy has no piece to be checked by later.
    if (piece.crc) CheckCrc(piece.bytes(), *piece.crc, piece.where);
    at::Tensor buffer = at::empty({*span}, layout.dtype);
    std::memcpy(buffer.mutable_data_ptr(), data, static_cast<size_t>(*span * item_bytes));
    return buffer.as_strided(layout.shape, layout.strides).contiguous();
  }
  return at::for_blob(data, layout.shape)
      .strides(layout.strides)
      .context(new MappedPiece(piece), &DeletePiece)
      .options(at::TensorOptions(layout.dtype))
      .make_tensor();
}

const MappedPiece* PieceOf(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.has_storage()) return nullptr;
  return tensor.storage().data_ptr().cast_context<MappedPiece>(&DeletePiece);
}

}  // namespace aim
