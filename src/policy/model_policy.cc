#include "aim/policy/model_policy.h"

#include "aim/base/error.h"
#include "aim/policy/clip_generator.h"

namespace aim {
namespace {

class ModelPolicy : public Policy {
 public:
  explicit ModelPolicy(const ModelPolicyOptions& options)
      : generator_(options.model, options.mode, options.device) {
    const ModeInputs inputs = InputsOf(generator_.mode());
    if (inputs.first_pose && !inputs.whole_video) return;
    throw ConfigError({.where = "mode",
                       .got = '"' + options.mode + '"',
                       .expected = "i2a or i2va, the modes that act from first frames",
                       .fix = ""});
  }

  PolicyNeeds Needs() const override {
    const BundleConfig& config = generator_.config();
    const bool square = config.image_height == config.image_width;
    return {.image_size = square ? config.image_height : 0,
            .frame_period_s = generator_.period_s(),
            .num_views = config.num_views,
            .num_frames = config.num_frames};
  }

  void Reset(uint64_t) override {}  // nothing is kept between plans

  Plan Act(const Clip& seen, const PlanRequest& request) override {
    Clip clip = seen;
    clip.fps = generator_.config().fps;
    generator_.CheckShape(clip, "observation");
    const Rng rng = Rng(request.seed).Derive(static_cast<uint64_t>(request.replan), "plan");
    const ClipRequest clip_request{.decode_video = false};
    Plan plan;
    plan.period_s = generator_.period_s();
    plan.frames = std::move(generator_.Run({clip}, clip_request, rng)[0].poses);
    return plan;
  }

 private:
  ClipGenerator generator_;
};

}  // namespace

std::unique_ptr<Policy> MakeModelPolicy(const ModelPolicyOptions& options) {
  return std::make_unique<ModelPolicy>(options);
}

}  // namespace aim
