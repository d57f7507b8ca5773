#include "aim/model/bundle.h"

#include <ATen/ATen.h>

#include <set>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/run_context.h"
#include "aim/tensor/safetensors.h"

namespace aim {
namespace {

constexpr int kFormatVersion = 1;
constexpr char kConfigFile[] = "model.toml";

// Throws unless `actual` is `expected`; `reason` says why they must agree.
void CheckEqual(const std::string& key, int64_t actual, int64_t expected,
                const std::string& reason) {
  if (actual == expected) return;
  throw ConfigError({.where = key,
                     .got = std::to_string(actual),
                     .expected = std::to_string(expected) + ", " + reason,
                     .fix = ""});
}

void CheckMultiple(const std::string& key, int value, int factor) {
  if (value % factor == 0) return;
  throw ConfigError(
      {.where = key,
       .got = std::to_string(value),
       .expected = "a multiple of autoencoder.pca.block_px * dit.patch = " + std::to_string(factor),
       .fix = ""});
}

void CheckModes(const std::vector<std::string>& modes, const std::string& key) {
  std::set<std::string> seen;
  for (const std::string& mode : modes) {
    if (mode.empty() || !seen.insert(mode).second) {
      throw ConfigError({.where = key,
                         .got = "holding '" + mode + (mode.empty() ? "'" : "' twice"),
                         .expected = "each mode once",
                         .fix = ""});
    }
  }
}

// Set keys of nested objects, joined by dots.
void CollectKeys(const nlohmann::json& object, const std::string& prefix,
                 std::set<std::string>& keys) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      CollectKeys(value, prefix + key + ".", keys);
    } else {
      keys.insert(prefix + key);
    }
  }
}

// A forgotten key would silently mean its default, which may differ from what was trained.
void CheckComplete(const nlohmann::json& object, const std::string& where) {
  std::set<std::string> present;
  CollectKeys(object, "", present);
  std::string missing;
  const BundleConfig known;
  for (const std::string& key : OptionKeys(known)) {
    if (!present.contains(key)) missing += (missing.empty() ? "" : ", ") + key;
  }
  if (missing.empty()) return;
  throw ConfigError({.where = where,
                     .got = "missing " + missing,
                     .expected = "every key of a model",
                     .fix = "add what the model was trained with"});
}

// The format version is checked first: with another one, unknown keys are no typing mistakes.
void TakeFormatVersion(nlohmann::json& object, const std::string& where) {
  const auto version = object.find("format_version");
  if (version == object.end() || *version != kFormatVersion) {
    throw ConfigError({.where = where + ": format_version",
                       .got = version == object.end() ? "missing" : version->dump(),
                       .expected = std::to_string(kFormatVersion),
                       .fix = "use the version of this program that wrote the bundle"});
  }
  object.erase(version);
}

WeightMap ReadDitWeights(const std::filesystem::path& file, const DitOptions& options,
                         c10::Device device) {
  const WeightMap stored = ReadSafetensors(file);
  CheckWeights(stored, DitWeightShapes(options), file.string());
  CheckFinite(stored, file.string());
  return ConvertWeights(stored, at::kFloat, device);
}

}  // namespace

void BundleConfig::Validate(const std::string& where) const {
  const std::string prefix = where.empty() ? "" : where + ": ";
  CheckRanges(*this, where.empty() ? "" : where + ": model");
  dit.Validate();
  autoencoder.pca.Validate();
  const std::string channels = "the latent channels of autoencoder.pca.channels";
  CheckEqual(prefix + "dit.in_channels", dit.in_channels, autoencoder.pca.channels, channels);
  CheckEqual(prefix + "dit.out_channels", dit.out_channels, autoencoder.pca.channels, channels);
  CheckEqual(prefix + "dit.text_dim", dit.text_dim, text.hashed_words.dim,
             "the width of text.hashed_words.dim");
  if (dit.camera.mode == "ray_token") {
    CheckEqual(prefix + "dit.camera.features", dit.camera.features, 6 * dit.patch * dit.patch,
               "six numbers a ray, dit.patch^2 rays a token");
  }
  const int factor = autoencoder.pca.block_px * dit.patch;
  CheckMultiple(prefix + "image_height", image_height, factor);
  CheckMultiple(prefix + "image_width", image_width, factor);
  if (num_frames % 4 != 1) {
    throw ConfigError({.where = prefix + "num_frames",
                       .got = std::to_string(num_frames),
                       .expected = "a multiple of 4, plus 1",
                       .fix = ""});
  }
  CheckModes(trained_modes, prefix + "trained_modes");
}

BundleConfig LoadBundleConfig(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) {
    const bool exists = std::filesystem::exists(path);
    throw InputError({.where = path.string(),
                      .got = exists ? "not a folder" : "missing",
                      .expected = std::string("a model bundle: a folder with ") + kConfigFile,
                      .fix = ""});
  }
  const std::string where = (path / kConfigFile).string();
  nlohmann::json object = ReadToml(path / kConfigFile);
  TakeFormatVersion(object, where);
  BundleConfig config;
  ApplyOptions(config, object, where);
  CheckComplete(object, where);
  config.Validate(where);
  return config;
}

Bundle LoadBundle(const std::filesystem::path& path, c10::Device device) {
  Bundle bundle;
  bundle.config = LoadBundleConfig(path);
  const BundleConfig& config = bundle.config;
  // A path that is absolute replaces the folder.
  bundle.dit.options = config.dit;
  bundle.dit.weights = ReadDitWeights(path / config.dit_file, config.dit, device);
  const std::filesystem::path file = path / config.autoencoder.file;
  const WeightMap basis = ConvertWeights(ReadSafetensors(file), at::kFloat, device);
  bundle.autoencoder =
      std::make_unique<PcaAutoencoder>(config.autoencoder.pca, basis, file.string());
  bundle.text = std::make_unique<HashedWords>(config.text.hashed_words);
  return bundle;
}

void WriteBundle(const std::filesystem::path& path, BundleConfig config, const WeightMap& dit,
                 const WeightMap& autoencoder, at::ScalarType dit_storage) {
  config.revision = Revision();
  const BundleConfig defaults;
  config.dit_file = defaults.dit_file;
  config.autoencoder.file = defaults.autoencoder.file;
  config.Validate();
  CheckWeights(dit, DitWeightShapes(config.dit), config.dit_file);
  CheckFinite(dit, config.dit_file);
  const PcaAutoencoder checked(config.autoencoder.pca, autoencoder, config.autoencoder.file);
  const WeightMap stored = ConvertWeights(dit, dit_storage);

  nlohmann::json object = OptionsToJson(config);
  object["format_version"] = kFormatVersion;
  WriteFolderAtomic(path, [&](const std::filesystem::path& folder) {
    WriteSafetensors(folder / config.dit_file, stored);
    WriteSafetensors(folder / config.autoencoder.file, checked.weights());
    WriteFileAtomic(folder / kConfigFile, ToToml(object));
  });
}

}  // namespace aim
