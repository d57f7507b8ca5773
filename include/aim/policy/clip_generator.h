// A model bundle ready to generate clips: what the policy, aim-generate and aim-label share.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "aim/bundle/bundle.h"
#include "aim/diffusion/generate.h"
#include "aim/recipe/mode_inputs.h"
#include "aim/recipe/model_options.h"

namespace aim {

struct ClipRequest {
  bool first_pose_given = true;    // poses[0] of each clip is the true pose of its frame 0
  bool decode_video = true;        // pixels of generated video segments
  bool keep_latents = false;       // in the clip, beside what is decoded of them
  bool temporal_prior = true;      // fills frames of low confidence from their neighbours
  double min_confidence = 0.2;     // below it a frame counts as low
  GenerateTimes* times = nullptr;  // filled if given
};

// `const` methods are thread-safe. Copies share the weights.
class ClipGenerator {
 public:
  // Loads the bundle onto `device`. Throws InputError for a damaged bundle, ConfigError for a mode
  // that it was not trained for (naming those it was) or a device that is not there.
  ClipGenerator(const ModelOptions& options, const std::string& mode, const std::string& device);

  // The same model in another mode. Throws ConfigError as the constructor does.
  ClipGenerator ForMode(const std::string& mode) const;

  // The same model, sampled otherwise. Throws ConfigError for options that cannot be.
  ClipGenerator WithSampler(const SamplerOptions& sampler) const;

  // The same model with so many denoising steps and this cache.
  ClipGenerator WithSteps(int steps, StepCacheKind cache) const;

  const BundleConfig& config() const { return bundle_->config; }
  const Mode& mode() const { return mode_; }
  const SamplerOptions& sampler() const { return sampler_; }
  double period_s() const { return 1.0 / bundle_->config.fps; }  // between two frames

  // Throws ConfigError naming `where` unless a clip has the number of views and the picture size
  // that the model was trained for.
  void CheckShape(const Clip& clip, const std::string& where) const;

  // Generates what the mode leaves open. Frame 0 of the poses is the given one, with confidence 1,
  // if it was given. Clip i depends on noise[i] and itself alone, up to the rounding of a batch.
  std::vector<GeneratedClip> Run(const std::vector<Clip>& clips, const ClipRequest& request,
                                 const std::vector<NoiseStream>& noise) const;
  std::vector<GeneratedClip> Run(const std::vector<Clip>& clips, const ClipRequest& request,
                                 const Rng& rng) const {
    return Run(clips, request, NoiseRows(rng, clips.size()));
  }

 private:
  std::shared_ptr<const Bundle> bundle_;
  std::shared_ptr<CameraCache> cameras_ = std::make_shared<CameraCache>();
  // Of the first clip: what was taken is said once, beside what was estimated.
  std::shared_ptr<std::once_flag> measured_ = std::make_shared<std::once_flag>();
  bool offload_ = false;
  bool allow_untrained_ = false;
  Mode mode_;
  SamplerOptions sampler_;
};

// How the options ask for a bundle to be loaded.
LoadOptions LoadOptionsFor(const ModelOptions& options, const std::string& device);

// Says what decoding a view takes, and refuses what does not fit into the memory that is free,
// before anything is generated; `load` is how the bundle was loaded. Silent for autoencoders that
// take next to nothing. Throws ConfigError.
void StateDecodeMemory(const BundleConfig& config, const LoadOptions& load);

// How a bundle is sampled: as it says, but for what `options` say. Throws ConfigError.
SamplerOptions SamplerFor(const BundleConfig& config, const ModelOptions& options);

}  // namespace aim
