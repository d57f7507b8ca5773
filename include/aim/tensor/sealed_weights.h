// Tensor files that know what was written: a fingerprint of the values in the file's metadata.
#pragma once

#include <filesystem>

#include "aim/tensor/safetensors.h"

namespace aim {

// As WriteSafetensors, with metadata "fingerprint".
void WriteSealed(const std::filesystem::path& path, const WeightMap& weights,
                 Metadata metadata = {});

// As StreamSafetensors, of tensors whose fingerprint is known before.
void StreamSealed(const std::filesystem::path& path,
                  const std::map<std::string, TensorInfo>& tensors,
                  const std::function<at::Tensor(const std::string&)>& load,
                  const std::string& fingerprint);

// As OpenSafetensors. Throws FormatError if the tensors are not those that were written; a file
// without a fingerprint, of an earlier version, is read as it is.
SafetensorsFile OpenSealed(const std::filesystem::path& path);

}  // namespace aim
