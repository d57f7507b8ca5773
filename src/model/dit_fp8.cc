#include "aim/model/dit_fp8.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>

#include "aim/base/error.h"
#include "aim/kernels/scaled_product.h"

namespace aim {
namespace {

// Of the matrices of a block that ForEachLinear visits.
bool IsScaledPart(const std::string& part) {
  static const std::set<std::string> kKept = {"cross_attn.k", "cross_attn.v", "cam_encoder.2"};
  return !kKept.contains(part);
}

// Calls visit(name, part) for each of ScaledMatrices.
template <class Blocks, class Visitor>
void ForEachScaled(Blocks& blocks, const DitOptions& options, const Visitor& visit) {
  for (size_t i = 1; i + 1 < blocks.size(); ++i) {
    const std::string block = "blocks." + std::to_string(i);
    DitBlockWeights::ForEachLinear(blocks[i], block, options,
                                   [&](const std::string& name, auto& part, int64_t, int64_t) {
                                     if (IsScaledPart(name.substr(block.size() + 1)))
                                       visit(name, part);
                                   });
  }
}

}  // namespace

std::optional<Problem> WhyNotScaled(const DitOptions& options) {
  const auto problem = [](const std::string& key, int value, const std::string& expected) {
    return Problem{.where = "dtype fp8: dit." + key,
                   .got = std::to_string(value),
                   .expected = expected,
                   .fix = "take bf16 for this network"};
  };
  const std::string multiple = "a multiple of " + std::to_string(kScaledMultiple);
  if (options.dim % kScaledMultiple != 0) return problem("dim", options.dim, multiple);
  if (options.ffn_dim % kScaledMultiple != 0) return problem("ffn_dim", options.ffn_dim, multiple);
  if (options.num_layers < 3) {
    return problem("num_layers", options.num_layers,
                   "at least 3, as the first and the last block stay in bf16");
  }
  return std::nullopt;
}

std::vector<std::string> ScaledMatrices(const DitOptions& options) {
  if (const std::optional<Problem> problem = WhyNotScaled(options)) throw ConfigError(*problem);
  const std::vector<DitBlockWeights> blocks(static_cast<size_t>(options.num_layers));
  std::vector<std::string> names;
  ForEachScaled(blocks, options,
                [&](const std::string& name, const LinearWeights&) { names.push_back(name); });
  return names;
}

void AttachScales(Dit& dit, const WeightMap& scales) {
  ForEachScaled(dit.weights.blocks, dit.options, [&](const std::string& name, LinearWeights& part) {
    part.scale = scales.at(name + ".weight");
    AIM_CHECK(part.weight.scalar_type() == at::kFloat8_e4m3fn);
    AIM_CHECK(part.scale.numel() == part.weight.size(0));
    part.bias = part.bias.to(at::kBFloat16);
  });
}

void QuantiseWeights(Dit& dit) {
  ScaledMatrices(dit.options);  // the sizes allow it
  AIM_CHECK(dit.compute_dtype == at::kBFloat16);
  ForEachScaled(dit.weights.blocks, dit.options, [](const std::string&, LinearWeights& part) {
    AIM_CHECK(!part.lora_a.defined());
    const ScaledRows rows = QuantiseRows(part.weight.contiguous());
    part.weight = rows.values;
    part.scale = rows.scale;
    part.bias = part.bias.to(at::kBFloat16);
  });
}

}  // namespace aim
