#include "aim/bundle/bundle.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/memory.h"
#include "aim/base/rng.h"
#include "aim/base/run_context.h"
#include "aim/bundle/adapter.h"
#include "aim/bundle/open_part.h"
#include "aim/bundle/scaled_weights.h"
#include "aim/kernels/scaled_product.h"
#include "aim/model/dit_fp8.h"
#include "aim/model/on_demand.h"
#include "aim/model/wan_vae.h"
#include "aim/tensor/safetensors.h"
#include "aim/text/text_cache.h"

namespace aim {
namespace {

constexpr int kFormatVersion = 1;
constexpr char kConfigFile[] = "model.toml";

// Keys that older bundles lack. Their defaults are what those were made with.
constexpr const char* kLaterKeys[] = {"diffusion.sigma_spacing", "diffusion.sigma_terminal",
                                      "text.umt5.cleaning", "adapter"};

// Throws unless `actual` is `expected`; `reason` says why they must agree.
void CheckEqual(const std::string& key, int64_t actual, int64_t expected,
                const std::string& reason) {
  if (actual == expected) return;
  throw ConfigError({.where = key,
                     .got = std::to_string(actual),
                     .expected = std::to_string(expected) + ", " + reason,
                     .fix = ""});
}

void CheckMultiple(const std::string& key, int64_t value, int64_t factor,
                   const std::string& reason) {
  if (value % factor == 0) return;
  throw ConfigError({.where = key,
                     .got = std::to_string(value),
                     .expected = "a multiple of " + std::to_string(factor) + ", " + reason,
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

// Options of kinds that this model does not use.
bool IsUnread(const BundleConfig& config, const std::string& key) {
  const auto is_below = [&](const std::string& section) {
    return key.rfind(section + ".", 0) == 0;
  };
  for (const auto& kind : WordsOf(AutoencoderKind{})) {
    if (config.autoencoder.kind != kind.value && is_below(std::string("autoencoder.") + kind.text))
      return true;
  }
  for (const auto& kind : WordsOf(TextKind{})) {
    if (config.text.kind != kind.value && is_below(std::string("text.") + kind.text)) return true;
  }
  return false;
}

// A forgotten key would silently mean its default, which may differ from what was trained.
void CheckComplete(const nlohmann::json& object, const BundleConfig& config,
                   const std::string& where) {
  std::set<std::string> present;
  CollectKeys(object, "", present);
  std::string missing;
  for (const std::string& key : OptionKeys(config)) {
    const bool is_later = std::ranges::find(kLaterKeys, key) != std::end(kLaterKeys);
    if (present.contains(key) || is_later || IsUnread(config, key)) continue;
    missing += (missing.empty() ? "" : ", ") + key;
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

// Weights of one part, named and shaped as they must be; still in the file.
WeightMap OpenChecked(const std::filesystem::path& file, Architecture architecture,
                      const ShapeMap& shapes) {
  const WeightMap stored = OpenPart(file, architecture).weights;
  CheckWeights(stored, shapes, file.string());
  return stored;
}

using DtypeOf = std::function<at::ScalarType(const std::string&)>;

// Throws unless what a part becomes in memory fits there.
void CheckLoad(const WeightMap& stored, const std::string& where, const LoadOptions& options,
               const DtypeOf& dtype_of) {
  if (!options.device.is_cpu()) return;
  int64_t needed = 0;
  for (const auto& [name, weight] : stored)
    needed += weight.numel() * static_cast<int64_t>(c10::elementSize(dtype_of(name)));
  CheckMemory(needed, where, options.dtype == at::kFloat ? "add --dtype bf16" : "");
}

// What a part becomes in memory: each weight in its type.
WeightMap ReadPart(const WeightMap& stored, const std::string& where, const LoadOptions& options,
                   const DtypeOf& dtype_of) {
  CheckLoad(stored, where, options, dtype_of);
  std::map<at::ScalarType, WeightMap> by_dtype;
  for (const auto& [name, weight] : stored) by_dtype[dtype_of(name)][name] = weight;
  WeightMap weights;
  for (const auto& [dtype, part] : by_dtype)
    weights.merge(LoadWeights(part, dtype, options.device, where));
  return weights;
}

// The same for a part that has one type.
WeightMap ReadPart(const WeightMap& stored, const std::filesystem::path& file,
                   const LoadOptions& options) {
  return ReadPart(stored, file.string(), options,
                  [&](const std::string&) { return options.dtype; });
}

struct StoredDit {
  WeightMap weights;
  WeightMap scales;  // of those that are stored in eight bits
};

StoredDit OpenStoredDit(const std::filesystem::path& file, const DitOptions& options) {
  StoredDit stored{.weights = OpenPart(file, Architecture::kDit).weights, .scales = {}};
  stored.scales = TakeRowScales(stored.weights);
  CheckWeights(stored.weights, DitWeightShapes(options), file.string());
  return stored;
}

// The weights that are multiplied in eight bits. Throws where that cannot be.
std::set<std::string> ScaledNames(const DitOptions& dit, const LoadOptions& options) {
  std::set<std::string> names;
  if (!options.fp8) return names;
  AIM_CHECK(options.dtype == at::kBFloat16);
  if (!options.device.is_cpu() && !HasScaledUnits(options.device)) {
    throw ConfigError({.where = "dtype fp8 on " + options.device.str(),
                       .got = "a GPU without units for eight-bit floats, or a build without CUDA "
                              "kernels",
                       .expected = "compute capability 8.9 or newer, and a build with nvcc",
                       .fix = "take bf16"});
  }
  for (const std::string& matrix : ScaledMatrices(dit)) names.insert(matrix + ".weight");
  return names;
}

// A matrix of eight bits on its device: as it is stored, or quantised from what is stored, behind
// the change that an adapter makes.
ScaledRows ReadScaled(const StoredDit& stored, const std::string& name, const Lora& lora,
                      const LoadOptions& options, const std::string& where) {
  const at::Tensor& mapped = stored.weights.at(name);
  const at::Tensor weight =
      LoadWeights({{name, mapped}}, mapped.scalar_type(), options.device, where).at(name);
  const auto scale = stored.scales.find(name);
  const bool is_stored = scale != stored.scales.end();
  ScaledRows rows{weight, is_stored ? scale->second.to(options.device) : at::Tensor()};
  const at::Tensor whole = is_stored ? Dequantise(rows) : weight.to(at::kFloat);
  const at::Tensor merged = MergedWeight(name, whole, lora);
  return is_stored && merged.is_same(whole) ? rows : QuantiseRows(merged);
}

// Tells text encoders apart by both ends of every weight: reading all of them would take as long as
// loading them, which the cache is there to avoid.
std::string TextKey(const WeightMap& stored, const std::filesystem::path& tokenizer,
                    at::ScalarType dtype, PromptCleaning cleaning) {
  WeightMap ends;
  for (const auto& [name, weight] : stored) {
    const int64_t rows = std::min<int64_t>(2, weight.size(0));
    ends[name] =
        at::cat({weight.narrow(0, 0, rows), weight.narrow(0, weight.size(0) - rows, rows)});
  }
  std::string key = Fingerprint(ends);
  key.append(" ").append(c10::toString(dtype)).append(" ").append(ToWord(cleaning));
  const auto files = std::filesystem::is_directory(tokenizer)
                         ? std::vector{tokenizer / "tokenizer.json", tokenizer / "spiece.model"}
                         : std::vector{tokenizer};
  for (const std::filesystem::path& file : files) {
    if (std::filesystem::exists(file))
      key.append(" ").append(std::to_string(StableHash(ReadFile(file))));
  }
  return key;
}

std::unique_ptr<Autoencoder> MakeWanVae(const std::filesystem::path& file,
                                        const WanVaeOptions& options, const LoadOptions& load) {
  const WeightMap stored = OpenChecked(file, Architecture::kVae22, WanVaeWeightShapes(options));
  return std::make_unique<WanVae>(options, ReadPart(stored, file, load), file.string(), load.vae);
}

}  // namespace

int64_t AutoencoderOptions::channels() const {
  return kind == AutoencoderKind::kPca ? pca.channels : wan_vae.z_dim;
}

int64_t AutoencoderOptions::spatial_factor() const {
  return kind == AutoencoderKind::kPca ? pca.block_px : wan_vae.spatial_factor();
}

int64_t TextOptions::dim() const {
  return kind == TextKind::kHashedWords ? hashed_words.dim : umt5.dim;
}

void BundleConfig::Validate(const std::string& where) const {
  const std::string prefix = where.empty() ? "" : where + ": ";
  CheckRanges(*this, where.empty() ? "" : where + ": model");
  diffusion.Validate();
  dit.Validate();
  if (autoencoder.kind == AutoencoderKind::kPca) autoencoder.pca.Validate();
  if (autoencoder.kind == AutoencoderKind::kWanVae) autoencoder.wan_vae.Validate();
  const std::string channels = "the latent channels of the autoencoder";
  CheckEqual(prefix + "dit.in_channels", dit.in_channels, autoencoder.channels(), channels);
  CheckEqual(prefix + "dit.out_channels", dit.out_channels, autoencoder.channels(), channels);
  CheckEqual(prefix + "dit.text_dim", dit.text_dim, text.dim(), "the width of the text encoder");
  if (dit.camera.mode == CameraMode::kRayToken) {
    CheckEqual(prefix + "dit.camera.features", dit.camera.features, 6 * dit.patch * dit.patch,
               "six numbers a ray, dit.patch^2 rays a token");
  }
  if (dit.camera.mode == CameraMode::kPooledLatent)
    CheckMultiple(prefix + "dit.camera.features", dit.camera.features,
                  int64_t{dit.camera.pool} * dit.camera.pool, "dit.camera.pool^2");
  const int64_t factor = autoencoder.spatial_factor() * dit.patch;
  const std::string token = "the pixels that a token has a side";
  CheckMultiple(prefix + "image_height", image_height, factor, token);
  CheckMultiple(prefix + "image_width", image_width, factor, token);
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
  CheckComplete(object, config, where);
  config.Validate(where);
  return config;
}

// A file's path that is absolute replaces the bundle's.
WeightMap OpenDit(const std::filesystem::path& path, const BundleConfig& config) {
  const StoredDit stored = OpenStoredDit(path / config.dit_file, config.dit);
  if (stored.scales.empty()) return stored.weights;
  throw InputError({.where = (path / config.dit_file).string(),
                    .got = "matrices quantised to eight bits",
                    .expected = "weights of 16 or 32 bits, to be trained or merged",
                    .fix = "take the network that it was made of"});
}

Dit LoadDit(const std::filesystem::path& path, const BundleConfig& config,
            const LoadOptions& options) {
  const auto adapter = FindAdapter(path, config, options.adapter);
  const std::string where = (path / config.dit_file).string();
  const StoredDit stored = OpenStoredDit(where, config.dit);
  const Lora lora = adapter ? ReadAdapter(*adapter, config.dit) : Lora{};
  const std::set<std::string> scaled = ScaledNames(config.dit, options);
  const auto dtype_of = [&](const std::string& name) {
    return scaled.contains(name) ? at::kFloat8_e4m3fn
                                 : DitWeightDtype(name, options.dtype, options.numerics);
  };
  CheckLoad(stored.weights, where, options, dtype_of);
  // Those that are, or become, of eight bits one by one; the others together.
  WeightMap rest = stored.weights, scales, weights;
  for (const auto& [name, weight] : stored.weights) {
    if (!scaled.contains(name) && !stored.scales.contains(name)) continue;
    const ScaledRows rows = ReadScaled(stored, name, lora, options, where);
    if (scaled.contains(name)) {
      weights[name] = rows.values;
      scales[name] = rows.scale;
    } else {
      weights[name] = Dequantise(rows).to(dtype_of(name));
    }
    rest.erase(name);
  }
  weights.merge(ReadPart(rest, where, options, dtype_of));
  // To what is stored, which may be finer than what is loaded; one matrix at a time.
  for (const auto& [name, whole] : rest) {
    const at::Tensor merged = MergedWeight(name, whole, lora);
    if (merged.is_same(whole)) continue;
    at::Tensor& weight = weights.at(name);
    weight = merged.to(weight.device(), weight.scalar_type());
  }
  Dit dit(config.dit, weights, options.dtype, options.numerics);
  if (options.fp8) AttachScales(dit, scales);
  return dit;
}

std::unique_ptr<Autoencoder> LoadAutoencoder(const std::filesystem::path& path,
                                             const BundleConfig& config,
                                             const LoadOptions& options) {
  const std::filesystem::path file = path / config.autoencoder.file;
  if (config.autoencoder.kind == AutoencoderKind::kPca) {
    const WeightMap basis = ConvertWeights(ReadSafetensors(file), at::kFloat, options.device);
    return std::make_unique<PcaAutoencoder>(config.autoencoder.pca, basis, file.string());
  }
  const WanVaeOptions vae = config.autoencoder.wan_vae;
  if (!options.offload) return MakeWanVae(file, vae, options);
  OpenChecked(file, Architecture::kVae22, WanVaeWeightShapes(vae));  // a wrong file is refused now
  const AutoencoderShape shape{vae.z_dim, vae.spatial_factor(), vae.temporal_factor()};
  return std::make_unique<OnDemandAutoencoder>(
      shape, options.device, [file, vae, options] { return MakeWanVae(file, vae, options); });
}

std::unique_ptr<TextEncoder> LoadTextEncoder(const std::filesystem::path& path,
                                             const BundleConfig& config,
                                             const LoadOptions& options) {
  if (config.text.kind == TextKind::kHashedWords)
    return std::make_unique<HashedWords>(config.text.hashed_words);
  const std::filesystem::path file = path / config.text.file;
  const Umt5Options umt5 = config.text.umt5;
  const WeightMap stored = OpenChecked(file, Architecture::kUmt5, Umt5WeightShapes(umt5));
  // A layer at a time comes to a GPU that has no room for all of them.
  LoadOptions where_kept = options;
  if (options.offload) where_kept.device = c10::kCPU;
  const auto load = [stored, file, where_kept] { return ReadPart(stored, file, where_kept); };
  const std::filesystem::path tokenizer = path / config.text.tokenizer_file;
  std::unique_ptr<TextEncoder> encoder = std::make_unique<Umt5Encoder>(
      umt5, load, Tokenizer::Open(tokenizer), Umt5Encoder::kMaxTokens, options.device);
  if (!options.text_cache.empty()) {
    encoder = std::make_unique<CachedTextEncoder>(
        std::move(encoder), options.text_cache,
        TextKey(stored, tokenizer, options.dtype, umt5.cleaning));
  }
  return std::make_unique<RememberingTextEncoder>(std::move(encoder));
}

WeightMap LoadTextWeights(const std::filesystem::path& path, const BundleConfig& config,
                          const LoadOptions& options) {
  const std::filesystem::path file = path / config.text.file;
  const ShapeMap shapes = Umt5WeightShapes(config.text.umt5);
  return ReadPart(OpenChecked(file, Architecture::kUmt5, shapes), file, options);
}

Bundle LoadBundle(const std::filesystem::path& path, const LoadOptions& options) {
  Bundle bundle;
  bundle.config = LoadBundleConfig(path);
  bundle.dit = LoadDit(path, bundle.config, options);
  bundle.autoencoder = LoadAutoencoder(path, bundle.config, options);
  bundle.text = LoadTextEncoder(path, bundle.config, options);
  return bundle;
}

nlohmann::json BundleConfigJson(const BundleConfig& config) {
  nlohmann::json object = OptionsToJson(config);
  for (const auto& kind : WordsOf(AutoencoderKind{})) {
    if (config.autoencoder.kind != kind.value) object["autoencoder"].erase(kind.text);
  }
  for (const auto& kind : WordsOf(TextKind{})) {
    if (config.text.kind != kind.value) object["text"].erase(kind.text);
  }
  return object;
}

std::string BundleConfigText(const BundleConfig& config) {
  nlohmann::json object = BundleConfigJson(config);
  object["format_version"] = kFormatVersion;
  return ToToml(object);
}

}  // namespace aim
