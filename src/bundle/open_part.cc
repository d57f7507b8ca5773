#include "aim/bundle/open_part.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/bundle/scaled_weights.h"

namespace aim {
namespace {

bool HoldsOneOf(std::string_view name, std::span<const std::string_view> words) {
  return std::ranges::any_of(
      words, [&](std::string_view word) { return name.find(word) != std::string_view::npos; });
}

// Factors of matrices, as PEFT, Kohya and others name them.
bool IsOfAdapter(std::string_view name) {
  constexpr std::array<std::string_view, 8> kWords = {".lora_A.", ".lora_B.",    "lora_down.",
                                                      "lora_up.", ".lora.down.", ".lora.up.",
                                                      ".hada_w",  ".lokr_w"};
  return HoldsOneOf(name, kWords);
}

bool IsScale(std::string_view name) {
  constexpr std::array<std::string_view, 6> kEnds = {".scale_weight",
                                                     ".weight_scale",
                                                     ".scale_input",
                                                     ".weight_scale_inv",
                                                     ".quant_state.bitsandbytes__nf4",
                                                     ".absmax"};
  return name == "scaled_fp8" ||
         std::ranges::any_of(kEnds, [&](std::string_view end) { return name.ends_with(end); });
}

template <class Test>
size_t CountNames(const WeightMap& weights, const Test& is_counted) {
  return static_cast<size_t>(
      std::ranges::count_if(weights, [&](const auto& entry) { return is_counted(entry.first); }));
}

}  // namespace

std::optional<Unusable> WhyUnusable(const WeightFile& file) {
  if (file.is_lone_shard) {
    return Unusable{"one shard of several",
                    "name the folder that holds all of them, or their .index.json"};
  }
  const std::map<std::string, Architecture> models = ModelsIn(file.tensors);
  if (!models.empty()) {
    std::vector<std::string> parts;
    parts.reserve(models.size());
    for (const auto& [head, architecture] : models) {
      parts.push_back(head + " (" + ArchitectureName(architecture) + ")");
    }
    return Unusable{"an all-in-one file of several models: " + Join(parts),
                    "take each out with aim-model convert FILE PART.safetensors --key " +
                        models.begin()->first};
  }
  if (const size_t count = CountNames(file.tensors, IsOfAdapter); count > 0) {
    return Unusable{"an adapter (LoRA): " + std::to_string(count) + " of its " +
                        std::to_string(file.tensors.size()) + " tensors are factors of changes",
                    "give it as --adapter beside the model that it changes, or add it to that with "
                    "aim-model merge"};
  }
  const bool is_scaled_network =
      HasRowScales(file.tensors) && DetectArchitecture(file.tensors) == Architecture::kDit;
  if (const size_t count = CountNames(file.tensors, IsScale); count > 0 && !is_scaled_network) {
    return Unusable{"quantised: " + std::to_string(count) + " of its " +
                        std::to_string(file.tensors.size()) + " tensors are scales of others",
                    "take the float16, bfloat16 or float32 weights of the same model"};
  }
  return std::nullopt;
}

std::vector<std::string> NotesOn(const WeightFile& file, Architecture architecture,
                                 const std::string& where) {
  std::vector<std::string> notes;
  if (!file.other_keys.empty()) {
    notes.push_back(where + ": the weights under " + (file.key.empty() ? "no key" : file.key) +
                    " were taken; " + Join(file.other_keys) +
                    " holds others, to be taken with --key");
  }
  if (architecture != Architecture::kUmt5) return notes;
  const std::vector<std::string> others = BesideUmt5Encoder(file.tensors);
  if (!others.empty()) {
    notes.push_back(
        where + ": " + others.front() +
        (others.size() > 1 ? " and " + std::to_string(others.size() - 1) + " more" : "") +
        ", no part of the encoder, left out");
  }
  return notes;
}

OpenedPart UsablePart(const WeightFile& file, const std::string& where,
                      std::optional<Architecture> architecture) {
  if (const std::optional<Unusable> unusable = WhyUnusable(file)) {
    throw InputError({.where = where,
                      .got = unusable->what,
                      .expected = "all the weights of one model",
                      .fix = unusable->fix});
  }
  const Architecture found = architecture.value_or(DetectArchitecture(file.tensors));
  return {.weights = OriginalNames(file.tensors, found, where),
          .architecture = found,
          .notes = NotesOn(file, found, where)};
}

OpenedPart OpenPart(const std::filesystem::path& path, std::optional<Architecture> architecture,
                    const std::string& key) {
  return UsablePart(OpenWeights(path, key), path.string(), architecture);
}

}  // namespace aim
