// Tensors whose storage is a piece of a mapped file.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "aim/format/mapped_file.h"

namespace aim {

// The piece of a file that a tensor's storage is. Keeps the mapping alive.
struct MappedPiece {
  std::shared_ptr<const MappedFile> file = nullptr;
  size_t begin = 0;  // in the file
  size_t size_bytes = 0;
  std::string where = {};                      // file and record or tensor, for messages
  std::optional<uint32_t> crc = std::nullopt;  // of the piece, where the format has one

  std::span<const std::byte> bytes() const { return file->bytes().subspan(begin, size_bytes); }
};

// Where a tensor lies within its piece; offset and strides in elements.
struct TensorLayout {
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape = {};
  std::vector<int64_t> strides = {};
  int64_t offset = 0;
};

// Elements that the layout spans from its offset on: 1 + sum of (size - 1) * stride, 0 if it is
// empty; nothing if a product leaves 63 bits.
std::optional<int64_t> SpannedElements(const TensorLayout& layout);

// Elements of a shape; nothing if the product leaves 63 bits.
std::optional<int64_t> CountElements(const std::vector<int64_t>& shape);

std::vector<int64_t> ContiguousStrides(const std::vector<int64_t>& shape);

// A tensor over the piece, which must hold the layout; a copy where the file does not align it.
at::Tensor MapTensor(const MappedPiece& piece, const TensorLayout& layout);

// The piece that MapTensor gave the tensor's storage, as long as the tensor is not a copy; nullptr
// for any other tensor.
const MappedPiece* PieceOf(const at::Tensor& tensor);

}  // namespace aim
