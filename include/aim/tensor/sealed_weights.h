// Tensor files that know what was written: a fingerprint of the values in the file's metadata.
#pragma once

#include <filesystem>

#include "aim/tensor/safetensors.h"

namespace aim {

// As WriteSafetensors, with metadata "fingerprint".
void WriteSealed(const std::filesystem::path& path, const WeightMap& weights,
                 Metadata metadata = {});

// As OpenSafetensors. Throws FormatError if the tensors are not those that were written; a file
// without a fingerprint, of an earlier version, is read as it is.
SafetensorsFile OpenSealed(const std::filesystem::path& path);

}  // namespace aim
