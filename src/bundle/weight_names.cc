#include "aim/bundle/weight_names.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string_view>

#include "aim/base/error.h"
#include "aim/tensor/shape.h"
#include "bundle/bare_names.h"

namespace aim {
namespace {

using Renamer = std::function<std::string(const std::string&)>;

struct Rule {
  std::string_view from;
  std::string_view to;
};

constexpr Rule kDitRules[] = {
    {"condition_embedder.text_embedder.linear_1", "text_embedding.0"},
    {"condition_embedder.text_embedder.linear_2", "text_embedding.2"},
    {"condition_embedder.time_embedder.linear_1", "time_embedding.0"},
    {"condition_embedder.time_embedder.linear_2", "time_embedding.2"},
    {"condition_embedder.time_proj", "time_projection.1"},
    {"scale_shift_table", "head.modulation"},
    {"proj_out", "head.head"},
};

// Behind "blocks.<i>.". Diffusers numbers the norms by their place, the original by their kind.
constexpr Rule kDitBlockRules[] = {
    {"scale_shift_table", "modulation"},   {"attn1.to_q", "self_attn.q"},
    {"attn1.to_k", "self_attn.k"},         {"attn1.to_v", "self_attn.v"},
    {"attn1.to_out.0", "self_attn.o"},     {"attn1.norm_q", "self_attn.norm_q"},
    {"attn1.norm_k", "self_attn.norm_k"},  {"attn2.to_q", "cross_attn.q"},
    {"attn2.to_k", "cross_attn.k"},        {"attn2.to_v", "cross_attn.v"},
    {"attn2.to_out.0", "cross_attn.o"},    {"attn2.norm_q", "cross_attn.norm_q"},
    {"attn2.norm_k", "cross_attn.norm_k"}, {"norm2", "norm3"},
    {"ffn.net.0.proj", "ffn.0"},           {"ffn.net.2", "ffn.2"},
};

constexpr Rule kVaeRules[] = {
    {"quant_conv", "conv1"},
    {"post_quant_conv", "conv2"},
};

// Behind "encoder." or "decoder.".
constexpr Rule kVaeHalfRules[] = {
    {"conv_in", "conv1"},
    {"norm_out", "head.0"},
    {"conv_out", "head.2"},
    {"mid_block.resnets.0", "middle.0"},
    {"mid_block.attentions.0", "middle.1"},
    {"mid_block.resnets.1", "middle.2"},
};

// Inside a residual block.
constexpr Rule kVaeResidualRules[] = {
    {"norm1", "residual.0"}, {"conv1", "residual.2"},       {"norm2", "residual.3"},
    {"conv2", "residual.6"}, {"conv_shortcut", "shortcut"},
};

constexpr Rule kUmt5Rules[] = {
    {"shared", "token_embedding"},
    {"encoder.embed_tokens", "token_embedding"},
    {"encoder.final_layer_norm", "norm"},
};

// What a UMT5 file may hold beside the encoder.
constexpr std::string_view kUmt5Others[] = {"decoder.block.", "decoder.embed_tokens.",
                                            "decoder.final_layer_norm.", "lm_head.",
                                            "spiece_model"};

// Behind "encoder.block.<i>.".
constexpr Rule kUmt5BlockRules[] = {
    {"layer.0.layer_norm", "norm1"},
    {"layer.0.SelfAttention.q", "attn.q"},
    {"layer.0.SelfAttention.k", "attn.k"},
    {"layer.0.SelfAttention.v", "attn.v"},
    {"layer.0.SelfAttention.o", "attn.o"},
    {"layer.0.SelfAttention.relative_attention_bias", "pos_embedding.embedding"},
    {"layer.1.layer_norm", "norm2"},
    {"layer.1.DenseReluDense.wi_0", "ffn.gate.0"},
    {"layer.1.DenseReluDense.wi_1", "ffn.fc1"},
    {"layer.1.DenseReluDense.wo", "ffn.fc2"},
};

// What follows `head` in `name`, if that is whole words: "ffn.2" is no head of "ffn.20.weight".
std::optional<std::string_view> After(std::string_view name, std::string_view head) {
  if (!name.starts_with(head)) return std::nullopt;
  const std::string_view rest = name.substr(head.size());
  if (!rest.empty() && rest.front() != '.' && !head.ends_with('.')) return std::nullopt;
  return rest;
}

std::optional<std::string> Apply(std::span<const Rule> rules, std::string_view name) {
  for (const Rule& rule : rules) {
    if (const auto rest = After(name, rule.from)) return std::string(rule.to) + std::string(*rest);
  }
  return std::nullopt;
}

std::string ApplyOrKeep(std::span<const Rule> rules, std::string_view name) {
  return Apply(rules, name).value_or(std::string(name));
}

struct Indexed {
  int index = 0;
  std::string_view rest;  // behind the dot that follows the number
};

// "blocks.12.norm2.weight" behind "blocks." is 12 and "norm2.weight".
std::optional<Indexed> TakeIndex(std::string_view name, std::string_view head) {
  if (!name.starts_with(head)) return std::nullopt;
  name.remove_prefix(head.size());
  Indexed result;
  const auto [end, error] =
      std::from_chars(name.data(), name.data() + name.size(), result.index, 10);
  const size_t length = static_cast<size_t>(end - name.data());
  // Bounded: a stage's number becomes a sum of sizes below.
  if (error != std::errc() || length > 4 || result.index < 0) return std::nullopt;
  if (length >= name.size() || name[length] != '.') return std::nullopt;
  result.rest = name.substr(length + 1);
  return result;
}

std::string DitName(const std::string& name) {
  if (const auto block = TakeIndex(name, "blocks.")) {
    return "blocks." + std::to_string(block->index) + "." +
           ApplyOrKeep(kDitBlockRules, block->rest);
  }
  return ApplyOrKeep(kDitRules, name);
}

std::string Umt5Name(const std::string& name) {
  if (const auto block = TakeIndex(name, "encoder.block.")) {
    if (const auto rest = Apply(kUmt5BlockRules, block->rest)) {
      return "blocks." + std::to_string(block->index) + "." + *rest;
    }
    return name;
  }
  return ApplyOrKeep(kUmt5Rules, name);
}

// How Diffusers' decoder stages map to the original's numbers. In 2.2 each stage is numbered by
// itself; in 2.1 the layers of all stages are numbered through.
struct VaeStages {
  bool nested = false;
  std::map<int, int> encoder_resnets;  // residual blocks a stage has
  std::map<int, int> decoder_resnets;
  std::map<int, bool> decoder_upsamples;

  int FirstDecoderLayer(int stage) const {
    int first = 0;
    for (const auto& [index, count] : decoder_resnets) {
      if (index < stage) first += count;
    }
    for (const auto& [index, upsamples] : decoder_upsamples) {
      if (index < stage) first += 1;
    }
    return first;
  }
};

void CountResnet(std::map<int, int>& counts, const Indexed& stage) {
  if (const auto resnet = TakeIndex(stage.rest, "resnets.")) {
    counts[stage.index] = std::max(counts[stage.index], resnet->index + 1);
  }
}

VaeStages FindVaeStages(const std::vector<std::string>& names) {
  VaeStages stages;
  for (const std::string& name : names) {
    if (const auto stage = TakeIndex(name, "encoder.down_blocks.")) {
      CountResnet(stages.encoder_resnets, *stage);
      stages.nested |= stage->rest.starts_with("resnets.");
    } else if (const auto up = TakeIndex(name, "decoder.up_blocks.")) {
      CountResnet(stages.decoder_resnets, *up);
      stages.nested |= up->rest.starts_with("upsampler.");
      if (up->rest.starts_with("upsamplers.0.")) stages.decoder_upsamples[up->index] = true;
    }
  }
  return stages;
}

std::string ResidualName(std::string_view rest) { return ApplyOrKeep(kVaeResidualRules, rest); }

// "encoder.down_blocks.<stage>.<rest>"; nothing if the layer is unknown.
std::optional<std::string> EncoderLayer(const Indexed& stage, const VaeStages& stages) {
  const std::string number = std::to_string(stage.index);
  const std::string head = "encoder.downsamples." + number + ".";
  if (!stages.nested) return head + ResidualName(stage.rest);
  if (const auto resnet = TakeIndex(stage.rest, "resnets.")) {
    return head + "downsamples." + std::to_string(resnet->index) + "." + ResidualName(resnet->rest);
  }
  const auto sampler = After(stage.rest, "downsampler.");
  const auto count = stages.encoder_resnets.find(stage.index);
  if (!sampler || count == stages.encoder_resnets.end()) return std::nullopt;
  return head + "downsamples." + std::to_string(count->second) + "." + std::string(*sampler);
}

std::optional<std::string> DecoderLayer(const Indexed& stage, const VaeStages& stages) {
  const std::string head = stages.nested
                               ? "decoder.upsamples." + std::to_string(stage.index) + ".upsamples."
                               : "decoder.upsamples.";
  const int first = stages.nested ? 0 : stages.FirstDecoderLayer(stage.index);
  if (const auto resnet = TakeIndex(stage.rest, "resnets.")) {
    return head + std::to_string(first + resnet->index) + "." + ResidualName(resnet->rest);
  }
  const auto sampler = After(stage.rest, stages.nested ? "upsampler." : "upsamplers.0.");
  const auto count = stages.decoder_resnets.find(stage.index);
  if (!sampler || count == stages.decoder_resnets.end()) return std::nullopt;
  return head + std::to_string(first + count->second) + "." + std::string(*sampler);
}

std::string VaeName(const std::string& name, const VaeStages& stages) {
  if (const auto stage = TakeIndex(name, "encoder.down_blocks.")) {
    return EncoderLayer(*stage, stages).value_or(name);
  }
  if (const auto stage = TakeIndex(name, "decoder.up_blocks.")) {
    return DecoderLayer(*stage, stages).value_or(name);
  }
  for (const std::string_view half : {"encoder.", "decoder."}) {
    const auto rest = After(name, half);
    if (!rest) continue;
    std::string inner = ApplyOrKeep(kVaeHalfRules, *rest);
    for (const std::string_view block : {"middle.0.", "middle.2."}) {
      if (const auto layer = After(inner, block)) {
        inner = std::string(block) + ResidualName(*layer);
        break;
      }
    }
    return std::string(half) + inner;
  }
  return ApplyOrKeep(kVaeRules, name);
}

using Names = std::vector<std::string>;

Renamer VaeRenamer(const Names& names) {
  return [stages = FindVaeStages(names)](const std::string& name) { return VaeName(name, stages); };
}

// By names without prefixes.
Architecture ArchitectureOf(const Names& names) {
  const Renamer vae_name = VaeRenamer(names);
  for (const std::string& name : names) {
    if (name == "video.first.basis") return Architecture::kPca;
    const std::string dit = DitName(name);
    if (dit == "patch_embedding.weight" || dit == "head.modulation" ||
        dit == "blocks.0.self_attn.q.weight") {
      return Architecture::kDit;
    }
    const std::string umt5 = Umt5Name(name);
    if (umt5 == "token_embedding.weight" || umt5 == "blocks.0.pos_embedding.embedding.weight") {
      return Architecture::kUmt5;
    }
    const std::string vae = vae_name(name);
    if (vae.starts_with("encoder.downsamples.0.downsamples.") ||
        vae.starts_with("decoder.upsamples.0.upsamples.")) {
      return Architecture::kVae22;
    }
    if (vae.starts_with("encoder.downsamples.0.residual.") ||
        vae.starts_with("decoder.upsamples.0.residual.")) {
      return Architecture::kVae21;
    }
  }
  return Architecture::kUnknown;
}

// The names of `weights`, in their order, without what stands before them.
Names BareNames(const WeightMap& weights) {
  Names names;
  for (const auto& [name, tensor] : weights) names.push_back(StripPrefixes(name));
  Names shorter = names;
  while (ArchitectureOf(shorter) == Architecture::kUnknown) {
    if (!DropSharedPart(shorter)) return names;
    for (std::string& name : shorter) name = StripPrefixes(name);
  }
  return shorter;
}

WeightMap Rename(const WeightMap& weights, const Renamer& rename, const std::string& where) {
  const Names names = BareNames(weights);
  WeightMap renamed;
  std::map<std::string, std::string> sources;
  size_t at = 0;
  for (const auto& [name, tensor] : weights) {
    const std::string original = rename(names[at++]);
    const auto [source, is_new] = sources.emplace(original, name);
    if (!is_new) {
      throw InputError(
          {.where = where,
           .got = "naming one weight, " + original + ", twice: " + source->second + " and " + name,
           .expected = "each weight once",
           .fix = "remove one of the two"});
    }
    renamed[original] = tensor;
  }
  return renamed;
}

bool IsSame(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() &&
         (a.is_meta() || b.is_meta() || at::equal(a, b));
}

}  // namespace

WeightMap OriginalDitNames(const WeightMap& weights, const std::string& where) {
  return Rename(weights, DitName, where);
}

std::optional<std::string> DiffusersDitModule(const std::string& original) {
  const auto block = TakeIndex(original, "blocks.");
  if (!block) return std::nullopt;
  for (const Rule& rule : kDitBlockRules) {
    if (rule.to == block->rest)
      return "blocks." + std::to_string(block->index) + "." + std::string(rule.from);
  }
  return std::nullopt;
}

WeightMap OriginalVaeNames(const WeightMap& weights, const std::string& where) {
  return Rename(weights, VaeRenamer(BareNames(weights)), where);
}

Names BesideUmt5Encoder(const WeightMap& weights) {
  const Names names = BareNames(weights);
  Names others;
  size_t at = 0;
  for (const auto& [name, tensor] : weights) {
    const std::string& bare = names[at++];
    const bool is_other = std::ranges::any_of(
        kUmt5Others, [&](std::string_view other) { return bare.starts_with(other); });
    if (is_other) others.push_back(name);
  }
  return others;
}

WeightMap OriginalUmt5Names(const WeightMap& weights, const std::string& where) {
  WeightMap once = weights;
  for (const std::string& other : BesideUmt5Encoder(weights)) once.erase(other);
  const Names names = BareNames(once);
  std::map<std::string, std::string> stored;  // by bare name
  size_t at = 0;
  for (const auto& [name, tensor] : once) stored[names[at++]] = name;
  const auto shared = stored.find("shared.weight");
  const auto copy = stored.find("encoder.embed_tokens.weight");
  if (shared != stored.end() && copy != stored.end() &&
      IsSame(once.at(shared->second), once.at(copy->second))) {
    once.erase(copy->second);
  }
  return Rename(once, Umt5Name, where);
}

Architecture DetectArchitecture(const WeightMap& weights) {
  return ModelsIn(weights).empty() ? ArchitectureOf(BareNames(weights)) : Architecture::kUnknown;
}

std::map<std::string, Architecture> ModelsIn(const WeightMap& weights) {
  Names names;
  for (const auto& [name, tensor] : weights) names.push_back(name);
  std::string shared;
  for (;;) {
    std::map<std::string, Names> groups;
    for (const std::string& name : names) {
      const size_t dot = name.find('.');
      if (dot == std::string::npos) continue;
      groups[name.substr(0, dot)].push_back(StripPrefixes(std::string_view(name).substr(dot + 1)));
    }
    std::map<std::string, Architecture> models;
    for (const auto& [head, group] : groups) {
      const Architecture architecture = ArchitectureOf(group);
      if (architecture != Architecture::kUnknown) models[shared + head] = architecture;
    }
    if (models.size() > 1) return models;
    const std::string first = names.empty() ? "" : names.front();
    if (!DropSharedPart(names)) return {};
    shared += first.substr(0, first.find('.') + 1);
  }
}

std::string ArchitectureName(Architecture architecture) {
  switch (architecture) {
    case Architecture::kDit:
      return "wan_dit";
    case Architecture::kVae22:
      return "wan_vae_2.2";
    case Architecture::kVae21:
      return "wan_vae_2.1";
    case Architecture::kUmt5:
      return "umt5_encoder";
    case Architecture::kPca:
      return "pca_autoencoder";
    case Architecture::kUnknown:
      break;
  }
  return "unknown";
}

WeightMap OriginalNames(const WeightMap& weights, Architecture architecture,
                        const std::string& where) {
  switch (architecture) {
    case Architecture::kDit:
      return OriginalDitNames(weights, where);
    case Architecture::kVae22:
    case Architecture::kVae21:
      return OriginalVaeNames(weights, where);
    case Architecture::kUmt5:
      return OriginalUmt5Names(weights, where);
    case Architecture::kPca:
    case Architecture::kUnknown:
      break;
  }
  return weights;
}

}  // namespace aim
