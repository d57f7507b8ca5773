// Where the weights of the metrics that are networks lie.
#pragma once

#include <filesystem>
#include <string>

#include "aim/tensor/weights.h"

namespace aim {

// What `scripts/setup --metrics` fills, seen from the repository.
inline constexpr const char* kMetricWeightsFolder = ".venv/share/aim-metrics";

// The arrays of one file of `folder`, with exactly the names and shapes of `expected`, all finite.
// Throws InputError: the file is missing (it says how to get it), or its arrays are not those; all
// that are missing are listed.
WeightMap LoadMetricWeights(const std::filesystem::path& folder, const std::string& file,
                            const ShapeMap& expected);

// The same checks of weights at hand. `where` names them.
void CheckMetricWeights(const WeightMap& weights, const ShapeMap& expected,
                        const std::string& where);

}  // namespace aim
