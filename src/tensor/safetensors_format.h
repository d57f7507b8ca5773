// The header of a safetensors file, checked against the bytes that follow it.
// docs/reference/wan22.md 7.1.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "aim/tensor/safetensors.h"

namespace aim {

// One tensor; offsets count from the beginning of the file.
struct SafetensorsEntry {
  std::string name = {};
  at::ScalarType type = at::kFloat;
  std::vector<int64_t> shape = {};
  size_t begin = 0;
  size_t end = 0;
};

// The header's one entry that is no tensor.
inline constexpr char kSafetensorsMetadataKey[] = "__metadata__";

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;
  Metadata metadata;
};

// Throws FormatError naming `file` and the tensor for whatever OpenSafetensors refuses. Reads the
// header alone.
SafetensorsHeader ParseSafetensors(std::span<const std::byte> bytes, const std::string& file);

// "BF16"; nullptr for a dtype without a name in the format.
const char* SafetensorsDtypeName(at::ScalarType type);

// Bytes that a shape takes; nothing if the product leaves 63 bits.
std::optional<size_t> ShapeBytes(const std::vector<int64_t>& shape, at::ScalarType type);

}  // namespace aim
