#include "aim/bundle/make_bundle.h"

#include <ATen/core/Tensor.h>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/run_context.h"
#include "aim/base/text.h"
#include "aim/bundle/bundle.h"
#include "aim/bundle/convert.h"
#include "aim/bundle/diffusers_folder.h"
#include "aim/bundle/open_part.h"
#include "aim/bundle/options_of_weights.h"
#include "aim/bundle/scaled_weights.h"
#include "aim/model/dit_fp8.h"
#include "aim/model/wan_vae.h"
#include "aim/text/tokenizer.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

// Files of others, and what they are.
struct Sources {
  BundleConfig config;
  fs::path dit, vae, text, tokenizer;
  std::string dit_key, vae_key, text_key;  // of the weights in their files
  std::vector<std::string> notes;
};

// One weight file under its original names, still mapped.
struct Part {
  fs::path source;
  std::string name;  // in the bundle
  WeightMap weights;
};

// What the released weights of Action Images were trained for. docs/reference/method.md 2.1, 5.4.
void SetActionImages(BundleConfig& config) {
  config.preset = "action_images_5b";
  config.trained_modes = {"i2va", "i2a", "v2a", "i2v", "v1_given"};
  config.fps = 5;
  config.image_height = config.image_width = 512;
  config.num_frames = 41;
  config.num_views = 2;
  config.diffusion = {.steps = 50,
                      .guidance = 7.5,
                      .shift = 5,
                      .sampler = SamplerKind::kEuler,
                      .timestep_rounding = TimestepRounding::kBf16};
}

// The video model it grew from. docs/reference/wan22.md 2.1, 5.2.
void SetWan(BundleConfig& config) {
  config.preset = "wan";
  config.trained_modes = {"i2v"};
  config.fps = 24;
  config.image_height = 704;
  config.image_width = 1280;
  config.num_frames = 121;
  config.num_views = 1;
  config.diffusion = {.steps = 50,
                      .guidance = 5,
                      .shift = 5,
                      .sampler = SamplerKind::kUnipc,
                      .timestep_rounding = TimestepRounding::kTrunc};
}

void SetKinds(BundleConfig& config) {
  config.dit.camera.mode == CameraMode::kNone ? SetWan(config) : SetActionImages(config);
  config.autoencoder.kind = AutoencoderKind::kWanVae;
  config.text.kind = TextKind::kUmt5;
  config.text.umt5.cleaning = config.dit.camera.mode == CameraMode::kNone
                                  ? PromptCleaning::kWan
                                  : PromptCleaning::kActionImages;
}

// Sizes alone come from the files; how prompts were cleaned belongs to the model (SetKinds).
void SetText(Umt5Options sizes, BundleConfig& config) {
  sizes.cleaning = config.text.umt5.cleaning;
  config.text.umt5 = sizes;
}

Sources FromDiffusers(const fs::path& path) {
  const DiffusersFolder folder = ReadDiffusersFolder(path);
  Sources sources;
  sources.config.dit = folder.dit;
  SetKinds(sources.config);
  sources.config.autoencoder.wan_vae = folder.vae;
  SetText(folder.text, sources.config);
  SamplingOptions& diffusion = sources.config.diffusion;
  diffusion.shift = folder.scheduler.shift;
  diffusion.sampler = folder.scheduler.kind;
  diffusion.sigma_grid = SigmaGrid::kDiffusers;
  diffusion.sigma_spacing = folder.scheduler.spacing;
  diffusion.sigma_terminal = folder.scheduler.sigma_terminal;
  const bool is_unipc = folder.scheduler.kind == SamplerKind::kUnipc;
  diffusion.timestep_rounding = is_unipc ? TimestepRounding::kTrunc : TimestepRounding::kNone;
  sources.dit = folder.dit_weights;
  sources.vae = folder.vae_weights;
  sources.text = folder.text_weights;
  sources.tokenizer = folder.tokenizer;
  sources.notes = folder.notes;
  if (folder.tokenizer.empty())
    sources.notes.push_back("the pipeline has no tokenizer: prompts cannot be encoded");
  return sources;
}

Sources FromFiles(const MakeBundleOptions& options) {
  Sources sources;
  sources.dit = options.dit;
  sources.vae = options.vae;
  sources.text = options.text;
  sources.tokenizer = options.tokenizer;
  sources.dit_key = options.key;
  sources.vae_key = options.vae_key;
  sources.text_key = options.text_key;
  BundleConfig& config = sources.config;
  config.dit = DitOptionsOf(OpenPart(options.dit, Architecture::kDit, options.key).weights,
                            options.dit, options.num_heads);
  SetKinds(config);
  // The base model is told which latents are given by their timestep. docs/reference/wan22.md 5.4.
  if (config.dit.camera.mode == CameraMode::kNone)
    config.dit.timestep_mode = TimestepMode::kGivenZero;
  config.autoencoder.wan_vae =
      WanVaeOptionsOf(OpenPart(options.vae, std::nullopt, options.vae_key).weights, options.vae);
  const Umt5Options sizes = Umt5OptionsOf(
      OpenPart(options.text, Architecture::kUmt5, options.text_key).weights, options.text);
  SetText(sizes, config);
  return sources;
}

void TakeSizes(const MakeBundleOptions& options, BundleConfig& config) {
  if (options.fps > 0) config.fps = options.fps;
  if (options.image_height > 0) config.image_height = options.image_height;
  if (options.image_width > 0) config.image_width = options.image_width;
  if (options.num_frames > 0) config.num_frames = options.num_frames;
  if (options.num_views > 0) config.num_views = options.num_views;
}

// Opens and checks all three; nothing is copied. What was not taken of them is noted.
std::vector<Part> OpenParts(Sources& sources) {
  const auto open = [&](const fs::path& path, Architecture architecture, const std::string& key) {
    OpenedPart part = OpenPart(path, architecture, key);
    sources.notes.insert(sources.notes.end(), part.notes.begin(), part.notes.end());
    return part.weights;
  };
  const BundleConfig& config = sources.config;
  const BundleConfig defaults;
  const WanVaeOptions& vae = config.autoencoder.wan_vae;
  std::vector<Part> parts = {
      {sources.dit, defaults.dit_file, open(sources.dit, Architecture::kDit, sources.dit_key)},
      {sources.vae, defaults.autoencoder.file,
       open(sources.vae, vae.is_residual ? Architecture::kVae22 : Architecture::kVae21,
            sources.vae_key)},
      {sources.text, defaults.text.file,
       open(sources.text, Architecture::kUmt5, sources.text_key)}};
  WeightMap network = parts[0].weights;
  TakeRowScales(network);
  CheckWeights(network, DitWeightShapes(config.dit), sources.dit.string());
  CheckWeights(parts[1].weights, WanVaeWeightShapes(vae), sources.vae.string());
  CheckWeights(parts[2].weights, Umt5WeightShapes(config.text.umt5), sources.text.string());
  return parts;
}

// The files of a tokenizer, in a folder as Tokenizer::Open reads them.
void CopyTokenizer(const fs::path& source, const fs::path& folder) {
  if (fs::is_directory(source)) {
    for (const char* name : {"tokenizer.json", "spiece.model", "tokenizer_config.json"}) {
      if (fs::exists(source / name)) WriteFileAtomic(folder / name, ReadFile(source / name));
    }
    return;
  }
  const std::string bytes = ReadFile(source);
  const bool is_json = !bytes.empty() && bytes[bytes.find_first_not_of(" \t\r\n")] == '{';
  WriteFileAtomic(folder / (is_json ? "tokenizer.json" : "spiece.model"), bytes);
}

nlohmann::json Report(const Sources& sources, const std::vector<Part>& parts,
                      const RunContext& run) {
  int64_t parameters = 0;
  for (const Part& part : parts) {
    for (const auto& [name, weight] : part.weights) parameters += weight.numel();
  }
  return {{"path", run.out().string()},
          {"preset", sources.config.preset},
          {"parameters", parameters},
          {"notes", sources.notes}};
}

}  // namespace

void MakeBundleOptions::Validate() const {
  CheckRanges(*this);
  const bool all_four = !dit.empty() && !vae.empty() && !text.empty() && !tokenizer.empty();
  const bool none = dit.empty() && vae.empty() && text.empty() && tokenizer.empty();
  if (from_diffusers.empty() ? !all_four : !none) {
    throw ConfigError({.where = "aim-model bundle",
                       .got = from_diffusers.empty() ? "without all of its parts"
                                                     : "called with --from-diffusers and parts",
                       .expected = "--dit, --vae, --text and --tokenizer, or --from-diffusers",
                       .fix = ""});
  }
  const std::string any_key = key + vae_key + text_key;
  if (!any_key.empty() && (link || dit.empty())) {
    throw ConfigError({.where = !key.empty()       ? "--key"
                                : !vae_key.empty() ? "--vae-key"
                                                   : "--text-key",
                       .got = Excerpt(any_key),
                       .expected = "none with --link or --from-diffusers, which take whole files",
                       .fix = "take the weights out with aim-model convert --key first"});
  }
  if (link && dtype != StorageDtype::kKeep) {
    throw ConfigError({.where = "--dtype",
                       .got = ToWord(dtype),
                       .expected = "keep, as --link copies nothing",
                       .fix = "leave out --link"});
  }
}

nlohmann::json RunMakeBundle(const MakeBundleOptions& options, RunContext& run) {
  options.Validate();
  if (run.out().empty()) {
    throw ConfigError(
        {.where = "--out", .got = "not given", .expected = "the bundle's folder", .fix = ""});
  }
  Sources sources =
      options.from_diffusers.empty() ? FromFiles(options) : FromDiffusers(options.from_diffusers);
  BundleConfig& config = sources.config;
  TakeSizes(options, config);
  config.revision = Revision();
  config.Validate();
  if (options.dtype == StorageDtype::kFp8) ScaledMatrices(config.dit);  // its sizes allow it
  std::vector<Part> parts = OpenParts(sources);
  if (options.dtype != StorageDtype::kKeep && HasRowScales(parts[0].weights)) {
    throw InputError({.where = sources.dit.string(),
                      .got = "matrices quantised to eight bits",
                      .expected = "--dtype keep for them",
                      .fix = "take the network that they were made of"});
  }
  if (!sources.tokenizer.empty()) Tokenizer::Open(sources.tokenizer);
  run.PrepareOutFolder(OutUse::kNew);

  if (options.link) {
    config.dit_file = fs::absolute(sources.dit).string();
    config.autoencoder.file = fs::absolute(sources.vae).string();
    config.text.file = fs::absolute(sources.text).string();
    if (!sources.tokenizer.empty())
      config.text.tokenizer_file = fs::absolute(sources.tokenizer).string();
  }
  const auto dtype = ScalarTypeOf(options.dtype);
  FillFolderAtomic(run.out(), "model.toml", [&](const fs::path& folder) {
    WriteFileAtomic(folder / "model.toml", BundleConfigText(config));
    if (options.link) return;
    if (!sources.tokenizer.empty())
      CopyTokenizer(sources.tokenizer, folder / config.text.tokenizer_file);
    for (const Part& part : parts) {
      if (options.dtype == StorageDtype::kFp8 && part.name == config.dit_file) {
        StreamScaled(folder / part.name, part.weights, config.dit, {}, part.source.string(),
                     run.progress());
        continue;
      }
      StreamWeights(folder / part.name, part.weights, dtype, {}, part.source.string(),
                    run.progress());
    }
  });
  run.CommitOut();
  return Report(sources, parts, run);
}

}  // namespace aim
