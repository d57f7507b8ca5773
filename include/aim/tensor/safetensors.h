// The safetensors format: 8-byte length, JSON header, raw little-endian tensors.
// docs/reference/wan22.md 7.1.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "aim/tensor/weights.h"

namespace aim {

using Metadata = std::map<std::string, std::string>;

struct SafetensorsFile {
  WeightMap tensors;
  Metadata metadata;
};

// Maps the file into memory (private, nothing is copied): pages are read when a tensor is, and the
// mapping lives as long as any of the tensors. Writing to a tensor never reaches the file. Throws
// InputError if the file is missing, FormatError naming file and tensor if anything in it breaks
// the format: lengths, JSON, dtypes, shapes, offsets, overlaps, holes, duplicate names.
SafetensorsFile OpenSafetensors(const std::filesystem::path& path);

// Only the tensors.
WeightMap ReadSafetensors(const std::filesystem::path& path);

// Atomic. Tensors of any device and layout; data starts at a multiple of 8 bytes, tensors follow in
// order of falling element size, then name. Throws IoError, InputError for a dtype without a name
// in the format.
void WriteSafetensors(const std::filesystem::path& path, const WeightMap& tensors,
                      const Metadata& metadata = {});

struct TensorInfo {
  at::ScalarType dtype = at::kFloat;
  std::vector<int64_t> shape;
};

std::map<std::string, TensorInfo> InfosOf(const WeightMap& tensors);

// Names in the order of the file.
std::vector<std::string> OrderInFile(const std::map<std::string, TensorInfo>& tensors);

// The same for tensors that need not exist all at once: `load` is called once for each name, in the
// order of the file, and returns what `tensors` promises. What it throws passes through, and then
// no file is left behind.
void StreamSafetensors(const std::filesystem::path& path,
                       const std::map<std::string, TensorInfo>& tensors,
                       const std::function<at::Tensor(const std::string&)>& load,
                       const Metadata& metadata = {});

}  // namespace aim
