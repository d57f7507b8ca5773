#include "aim/bundle/encoding.h"

#include <ATen/core/Tensor.h>

#include "aim/base/error.h"
#include "aim/base/path_claim.h"
#include "aim/base/text.h"
#include "aim/tensor/weight_file.h"

namespace aim {
namespace {

// A text encoder has billions of weights; its norms and biases tell it from others, too.
std::string SmallWeightsFingerprint(const WeightMap& weights) {
  constexpr int64_t kSmall = 1 << 16;
  WeightMap small;
  for (const auto& [name, weight] : weights) {
    if (weight.numel() <= kSmall) small.emplace(name, weight);
  }
  return Fingerprint(small);
}

nlohmann::json OptionsOf(const BundleConfig& config) {
  nlohmann::json all = OptionsToJson(config);
  all["autoencoder"].erase("file");
  if (all["text"].contains("umt5")) {
    all["text"]["umt5"].erase("file");
    all["text"]["umt5"].erase("tokenizer_file");
    // Caches that are older than the key were encoded so.
    if (config.text.umt5.cleaning == PromptCleaning::kActionImages) {
      all["text"]["umt5"].erase("cleaning");
    }
  }
  return {
      {"camera", all["dit"]["camera"]},      {"patch", all["dit"]["patch"]},
      {"autoencoder", all["autoencoder"]},   {"text", all["text"]},
      {"action_image", all["action_image"]}, {"num_frames", config.num_frames},
      {"num_views", config.num_views},       {"image", {config.image_width, config.image_height}}};
}

}  // namespace

nlohmann::json EncodingOf(const std::filesystem::path& path, const BundleConfig& config) {
  nlohmann::json encoding = EncodingOf(config, OpenWeights(path / config.autoencoder.file).tensors);
  if (config.text.kind == TextKind::kUmt5)
    encoding["text_weights"] =
        SmallWeightsFingerprint(OpenWeights(path / config.text.file).tensors);
  return encoding;
}

nlohmann::json EncodingOf(const BundleConfig& config, const WeightMap& autoencoder) {
  nlohmann::json encoding = OptionsOf(config);
  encoding["autoencoder_weights"] = Fingerprint(autoencoder);
  return encoding;
}

void RequireSameEncoding(const nlohmann::json& encoding, const nlohmann::json& expected,
                         const std::string& where) {
  for (const auto& [key, value] : expected.items()) {
    const auto found = encoding.find(key);
    if (found != encoding.end() && *found == value) continue;
    throw ConfigError({.where = where,
                       .got = "a model that encodes otherwise: " + key + " is " +
                              (found == encoding.end() ? "missing" : DumpJson(*found)),
                       .expected = DumpJson(value) + ", as in the cache",
                       .fix = "make a cache with this model, or start from another"});
  }
}

void KeepEncoders(const std::filesystem::path& path, const nlohmann::json& encoding,
                  const std::function<void(const std::filesystem::path&)>& write) {
  const PathClaim claim = PathClaim::Wait(path);
  if (std::filesystem::exists(path / "model.toml") &&
      EncodingOf(path, LoadBundleConfig(path)) == encoding)
    return;
  write(path);
}

}  // namespace aim
