// A network stored with matrices of eight-bit floats: "X.weight" is float8_e4m3fn [out, in], beside
// it "X.weight_scale", float32 [out] or [out, 1], what its rows are multiplied with.
#pragma once

#include <filesystem>
#include <string>

#include "aim/base/progress.h"
#include "aim/model/dit_options.h"
#include "aim/tensor/safetensors.h"
#include "aim/tensor/weights.h"

namespace aim {

// Whether every eight-bit weight has such scales, and at least one is there.
bool HasRowScales(const WeightMap& weights);

// Takes the scales out: name of the weight -> float32 [out]. Empty unless HasRowScales.
WeightMap TakeRowScales(WeightMap& weights);

// Writes the network `weights` (mapped) as one safetensors file, ScaledMatrices of eight bits and
// everything else as it is: a bundle with it gives the same bits as quantising when it is loaded.
// One matrix at a time. Throws InputError, naming `where`, for NaN or Inf, and where the weights
// are quantised already.
void StreamScaled(const std::filesystem::path& path, const WeightMap& weights,
                  const DitOptions& options, const Metadata& metadata, const std::string& where,
                  Progress& progress);

}  // namespace aim
