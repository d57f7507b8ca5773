#include "aim/policy/model_policy.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "aim/diffusion/clip_encoding.h"
#include "aim/policy/clip_generator.h"
#include "policy/plan_budget.h"

namespace aim {
namespace {

// The noise of a plan, and of what else is asked for with the same numbers.
Rng PlanNoise(const PlanRequest& request) {
  return Rng(request.seed).Derive(static_cast<uint64_t>(request.replan), "plan");
}

// A model that acts, with the settings that it is run with.
struct Fitted {
  ClipGenerator generator;
  std::string identity = {};  // of settings that were chosen here
};

Fitted FitToBudget(const ClipGenerator& generator, const PlanBudget& budget) {
  if (!InputsOf(generator.mode()).acts()) {
    throw ConfigError({.where = "mode",
                       .got = '"' + generator.mode().name + '"',
                       .expected = "i2a or i2va, the modes that act from first frames",
                       .fix = ""});
  }
  if (budget.ms == 0) return {.generator = generator};
  const ClipGenerator fitting = WithinBudget(generator, budget.ms, budget.settled);
  return {.generator = fitting,
          .identity = ToWords({.mode = fitting.mode().name,
                               .steps = fitting.sampler().sampling.steps,
                               .cache = fitting.sampler().passes.cache})};
}

class ModelPolicy : public Policy {
 public:
  explicit ModelPolicy(Fitted fitted, std::shared_ptr<SharedModel> model = nullptr)
      : generator_(std::move(fitted.generator)),
        identity_(std::move(fitted.identity)),
        model_(std::move(model)) {}

  PolicyNeeds Needs() const override {
    const BundleConfig& config = generator_.config();
    const bool square = config.image_height == config.image_width;
    return {.image_size = square ? config.image_height : 0,
            .frame_period_s = generator_.period_s(),
            .num_views = config.num_views,
            .num_frames = config.num_frames};
  }

  std::string Identity() const override { return identity_; }

  void Reset(uint64_t) override {}  // nothing is kept between plans

  Plan Act(const Clip& seen, const PlanRequest& request) override {
    return std::move(ActTogether({seen}, {request})[0]);
  }

  std::vector<Plan> ActTogether(const std::vector<Clip>& seen,
                                const std::vector<PlanRequest>& requests) override {
    std::vector<Clip> clips = seen;
    std::vector<NoiseStream> noise;
    for (size_t i = 0; i < clips.size(); ++i) {
      clips[i].fps = generator_.config().fps;
      generator_.CheckShape(clips[i], "observation");
      noise.push_back({PlanNoise(requests[i])});
    }
    GenerateTimes times;
    const ClipRequest clip_request{.decode_video = false, .times = &times};
    std::unique_lock<std::mutex> turn;
    if (model_) turn = std::unique_lock(model_->turns());
    std::vector<Plan> plans;
    for (GeneratedClip& made : generator_.Run(clips, clip_request, noise))
      plans.push_back({.period_s = generator_.period_s(), .frames = std::move(made.poses)});
    stages_ = {
        {"encode", times.encode_s}, {"denoise", times.denoise_s}, {"decode", times.decode_s}};
    return plans;
  }

  std::vector<PlanStage> LastStages() const override { return stages_; }

 private:
  ClipGenerator generator_;
  std::string identity_;
  std::shared_ptr<SharedModel> model_;  // null: nobody else generates with it
  std::vector<PlanStage> stages_;
};

class ModelJobs : public ClipJobs {
 public:
  ModelJobs(const ClipGenerator& generator, bool allow_untrained)
      : generator_(generator), allow_untrained_(allow_untrained) {}

  std::vector<std::string> Jobs() const override {
    const std::vector<std::string>& trained = generator_.config().trained_modes;
    std::vector<std::string> jobs;
    for (const char* job : {"i2a", "i2va", "v2a", "a2v", "i2v"}) {
      if (allow_untrained_ || std::ranges::find(trained, job) != trained.end()) jobs.push_back(job);
    }
    return jobs;
  }

  MadeClip Run(const std::string& job, const Clip& given, const PlanRequest& request) override {
    const ClipGenerator generator = generator_.ForMode(job);
    Clip clip = given;
    clip.fps = generator.config().fps;
    generator.CheckShape(clip, "observation");
    const ClipRequest clip_request{.first_pose_given = !clip.poses.empty()};
    GeneratedClip generated = std::move(generator.Run({clip}, clip_request, PlanNoise(request))[0]);
    MadeClip made;
    made.plan = {.period_s = generator.period_s(), .frames = std::move(generated.poses)};
    for (const at::Tensor& video : generated.videos) {
      std::vector<uint8_t>& bytes = made.videos.emplace_back();
      for (const std::vector<uint8_t>& frame : VideoBytes(video)) {
        bytes.insert(bytes.end(), frame.begin(), frame.end());
      }
    }
    return made;
  }

 private:
  ClipGenerator generator_;
  bool allow_untrained_;
};

}  // namespace

std::unique_ptr<Policy> MakeModelPolicy(const ModelPolicyOptions& options) {
  return std::make_unique<ModelPolicy>(
      FitToBudget(ClipGenerator(options.model, options.mode, options.device), options.budget));
}

std::function<std::unique_ptr<Policy>()> ModelPolicies(const std::shared_ptr<SharedModel>& model,
                                                       const std::string& mode,
                                                       const PlanBudget& budget) {
  struct Shared {
    std::mutex fitting;
    std::optional<Fitted> fitted;  // once: all plan with the same settings
  };
  return [=, shared = std::make_shared<Shared>()] {
    const std::lock_guard lock(shared->fitting);
    if (!shared->fitted) shared->fitted = FitToBudget(model->For(mode), budget);
    return std::make_unique<ModelPolicy>(*shared->fitted, model);
  };
}

ServedModel MakeServedModel(const ModelPolicyOptions& options) {
  const ClipGenerator generator(options.model, options.mode, options.device);
  return {.policy = std::make_unique<ModelPolicy>(FitToBudget(generator, options.budget)),
          .jobs = std::make_unique<ModelJobs>(generator, options.model.allow_untrained)};
}

}  // namespace aim
