#include "aim/policy/clip_generator.h"

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/memory.h"
#include "aim/base/text.h"
#include "aim/diffusion/guidance_memory.h"
#include "aim/model/wan_vae.h"
#include "aim/policy/generation_memory.h"
#include "aim/tensor/device.h"

namespace aim {

LoadOptions LoadOptionsFor(const ModelOptions& options, const std::string& device) {
  LoadOptions load;
  load.device = ParseDevice(device);
  load.fp8 = options.dtype == ModelDtype::kFp8;
  const bool is_bf16 = options.dtype == ModelDtype::kAuto
                           ? load.device.is_cuda()
                           : load.fp8 || options.dtype == ModelDtype::kBf16;
  load.dtype = is_bf16 ? at::kBFloat16 : at::kFloat;
  load.numerics = options.numerics;
  load.adapter = options.adapter;
  load.offload = options.offload;
  load.text_cache = options.text_cache;
  load.vae = options.vae;
  return load;
}

SamplerOptions SamplerFor(const BundleConfig& config, const ModelOptions& options) {
  SamplerOptions sampler{.sampling = config.diffusion, .passes = options.passes};
  SamplingOptions& sampling = sampler.sampling;
  if (options.steps > 0) sampling.steps = options.steps;
  if (options.guidance > 0) sampling.guidance = options.guidance;
  const SamplerKind kind = options.sampler == SamplerChoice::kAuto    ? sampling.sampler
                           : options.sampler == SamplerChoice::kUnipc ? SamplerKind::kUnipc
                                                                      : SamplerKind::kEuler;
  if (kind != sampling.sampler) {
    // The levels and timesteps that belong to it, not those of the model's own.
    sampling.sampler = kind;
    sampling.timestep_rounding = TimestepRounding::kAuto;
    sampling.sigma_grid = SigmaGrid::kAuto;
    sampling.sigma_spacing = SigmaSpacing::kShifted;
    sampling.sigma_terminal = 0;
  }
  sampler.Validate();
  return sampler;
}

void StateDecodeMemory(const BundleConfig& config, const LoadOptions& load) {
  if (config.autoencoder.kind != AutoencoderKind::kWanVae) return;
  const VideoExtent extent{config.num_frames, config.image_height, config.image_width, 1};
  const WanVaeOptions& vae = config.autoencoder.wan_vae;
  const WanVaeRunOptions run = FitWanVaeRun(vae, load.vae, extent, load.dtype);
  const int64_t needed = WanVaeDecodeBytes(vae, run, extent, load.dtype);
  LogInfo("decoding a view takes " + MemoryText(needed) +
          (run.tile_px > 0 ? " in tiles of " + std::to_string(run.tile_px) + " px" : ""));
  if (load.device.is_cpu()) {
    int64_t resident = 0;  // weights that are in memory already
    for (const auto& [name, shape] : WanVaeWeightShapes(vae)) {
      const auto item = static_cast<int64_t>(c10::elementSize(load.dtype));
      if (!load.offload) resident += c10::multiply_integers(shape) * item;
    }
    CheckMemory(needed - resident, "decoding a view",
                "decode in tiles: --vae.memory-gib, --vae.tile-px");
  }
}

ClipGenerator::ClipGenerator(const ModelOptions& options, const std::string& mode,
                             const std::string& device) {
  options.Validate();
  mode_ = FindMode(mode);
  const BundleConfig config = LoadBundleConfig(options.model);
  CheckTrained(mode, config.trained_modes, options.allow_untrained);
  sampler_ = SamplerFor(config, options);
  const LoadOptions load = LoadOptionsFor(options, device);
  bundle_ = std::make_shared<const Bundle>(LoadBundle(options.model, load));
  offload_ = load.offload;
  allow_untrained_ = options.allow_untrained;
  StateDecodeMemory(bundle_->config, load);
  if (config.autoencoder.kind == AutoencoderKind::kWanVae)
    LogInfo(GenerationMemoryText(EstimateGeneration(*bundle_, load, mode_)));
}

ClipGenerator ClipGenerator::ForMode(const std::string& mode) const {
  ClipGenerator other = *this;
  other.mode_ = FindMode(mode);
  CheckTrained(mode, config().trained_modes, allow_untrained_);
  return other;
}

ClipGenerator ClipGenerator::WithSampler(const SamplerOptions& sampler) const {
  sampler.Validate();
  ClipGenerator other = *this;
  other.sampler_ = sampler;
  return other;
}

ClipGenerator ClipGenerator::WithSteps(int steps, StepCacheKind cache) const {
  SamplerOptions sampler = sampler_;
  sampler.sampling.steps = steps;
  sampler.passes.cache = cache;
  return WithSampler(sampler);
}

void ClipGenerator::CheckShape(const Clip& clip, const std::string& where) const {
  const BundleConfig& config = bundle_->config;
  if (clip.views.size() != static_cast<size_t>(config.num_views)) {
    throw ConfigError(
        {.where = where,
         .got = "of " + CountText(std::ssize(clip.views), "view"),
         .expected = std::to_string(config.num_views) + ", the number this model was trained for",
         .fix = ""});
  }
  if (clip.height != config.image_height || clip.width != config.image_width) {
    throw ConfigError({.where = where,
                       .got = "of pictures of " + SizeText(clip.width, clip.height),
                       .expected = SizeText(config.image_width, config.image_height) +
                                   ", the size this model was trained for",
                       .fix = ""});
  }
}

std::vector<GeneratedClip> ClipGenerator::Run(const std::vector<Clip>& clips,
                                              const ClipRequest& request,
                                              const std::vector<NoiseStream>& noise) const {
  const BundleConfig& config = bundle_->config;
  for (const Clip& clip : clips) CheckShape(clip, "clip");
  const GeneratorModel model{&bundle_->dit,
                             bundle_->autoencoder.get(),
                             bundle_->text.get(),
                             config.action_image,
                             config.num_frames,
                             cameras_.get(),
                             offload_};
  GenerateOptions options;
  options.sampler = sampler_;
  options.first_pose_given = request.first_pose_given;
  options.decode_video = request.decode_video;
  options.keep_latents = request.keep_latents;
  options.times = request.times;
  options.decoder.spec = config.action_image;
  options.decoder.temporal_prior = false;  // comes after the given pose is in its place
  std::vector<GeneratedClip> generated = Generate(model, mode_, clips, options, noise);
  for (size_t i = 0; i < clips.size(); ++i) {
    std::vector<DecodedPose>& poses = generated[i].poses;
    if (poses.empty()) continue;
    if (request.first_pose_given) {
      AIM_CHECK(!clips[i].poses.empty());
      poses[0].pose = clips[i].poses[0];
      poses[0].decodable = true;
      poses[0].confidence = 1;
    }
    if (request.temporal_prior) FillFromNeighbours(poses, request.min_confidence);
  }
  if (config.autoencoder.kind == AutoencoderKind::kWanVae) {
    std::call_once(*measured_, [&] {
      LogInfo("generating took " + MemoryText(PeakBytes(bundle_->dit.device())) + " at its peak");
    });
  }
  return generated;
}

}  // namespace aim
