// Which matrices of the network are multiplied as eight-bit floats (kernels/scaled_product.h), and
// how they become so. Of every block but the first and the last: q, k, v, o and projector of the
// self-attention, q and o of the cross-attention, and both of the feed-forward network, 93 % of the
// released network's multiplications in matrices. All else stays bfloat16, or float32 where it is
// (DitWeightDtype): patch, time and text embedding, cameras, keys and values of the text, head,
// modulation, norms, biases; and attention itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aim/base/error.h"
#include "aim/model/dit.h"

namespace aim {

// Why a network of these sizes has none, or nothing: widths must be multiples of kScaledMultiple,
// and there must be a block between the first and the last.
std::optional<Problem> WhyNotScaled(const DitOptions& options);

// Their names, without ".weight". Throws ConfigError where WhyNotScaled has something to say.
std::vector<std::string> ScaledMatrices(const DitOptions& options);

// What the scales [out] of a weight are called, beside it in a file.
inline constexpr std::string_view kScaleEnding = "_scale";

// Where a weight has scales: its name -> float32 [out]. The weights themselves are float8_e4m3fn
// already.
void AttachScales(Dit& dit, const WeightMap& scales);

// Quantises ScaledMatrices where they lie, one at a time, from what they hold.
void QuantiseWeights(Dit& dit);

}  // namespace aim
