#include "eval/pictures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "aim/base/error.h"
#include "aim/codec/action_image.h"
#include "aim/media/blend.h"
#include "aim/media/filmstrip.h"
#include "aim/media/tip_path.h"

namespace aim {
namespace {

constexpr Rgb kPathColor = {255, 210, 60};
constexpr double kBlendStrength = 0.5;

// The plan in force at an env step, and its frame that is nearest to the time of the next step.
struct ActivePlan {
  const TimedPlan* timed;
  size_t next;
};

ActivePlan PlanAt(const std::vector<TimedPlan>& plans, int env_step, double period_s) {
  const TimedPlan* active = &plans.front();
  for (const TimedPlan& timed : plans) {
    if (timed.begin_env_step <= env_step) active = &timed;
  }
  const int elapsed = std::max(0, env_step - active->first_env_step);
  const auto frame = std::lround((elapsed + 1) * period_s / active->plan.period_s);
  return {active,
          std::clamp<size_t>(static_cast<size_t>(frame), 1, active->plan.frames.size() - 1)};
}

void DrawPlan(Image& image, const Camera& camera, const ActivePlan& active) {
  const std::vector<DecodedPose>& frames = active.timed->plan.frames;
  std::vector<ToolPose> path;
  for (size_t i = active.next - 1; i < frames.size(); ++i) {
    if (frames[i].decodable || frames[i].from_prior) path.push_back(frames[i].pose);
  }
  if (path.empty()) return;
  const ActionImageSpec spec;
  std::vector<float> action(image.rgb.size());
  DrawActionImageInto(path[std::min<size_t>(1, path.size() - 1)], camera, spec, action);
  image = BlendActionImage(image, action, kBlendStrength, spec.pedestal);
  if (path.size() >= 2) DrawTipPath(image, camera, path, kPathColor);
}

Image RenderView(Env& env, const Observation& observation, int view, int size) {
  Image image(size, size);
  image.rgb = env.RenderReport(view, size);
  AIM_CHECK(image.rgb.size() == static_cast<size_t>(size) * static_cast<size_t>(size) * 3);
  AIM_CHECK(static_cast<size_t>(view) < observation.clip.views.size());
  return image;
}

// `num_frames` moments from start to end, spread evenly.
Image StripOf(const std::vector<Image>& frames, int num_frames) {
  const double last = static_cast<double>(frames.size() - 1);
  std::vector<Image> chosen;
  for (int i = 0; i < num_frames; ++i) {
    const double position = last * i / (num_frames - 1);
    chosen.push_back(frames[static_cast<size_t>(std::lround(position))]);
  }
  return Filmstrip(chosen);
}

Image FrameOf(const Clip& clip, size_t view, size_t frame) {
  Image image(clip.width, clip.height);
  const auto begin =
      clip.views[view].rgb.begin() + static_cast<std::ptrdiff_t>(frame * image.rgb.size());
  std::copy_n(begin, image.rgb.size(), image.rgb.begin());
  return image;
}

}  // namespace

TrialPictures RenderTrial(Env& env, const TrialSpec& spec, const TrialResult& result,
                          double period_s, int size) {
  AIM_CHECK(!result.plans.empty());
  TrialPictures pictures;
  Observation observation = env.Reset(spec.task, spec.variation, spec.seed);
  pictures.views.resize(observation.clip.views.size());
  for (size_t step = 0; step <= result.targets.size(); ++step) {
    if (step > 0) observation = env.Step(result.targets[step - 1]).observation;
    const ActivePlan active = PlanAt(result.plans, static_cast<int>(step), period_s);
    for (size_t view = 0; view < observation.clip.views.size(); ++view) {
      Image image = RenderView(env, observation, static_cast<int>(view), size);
      const Camera camera =
          CropAndResize(observation.clip.views[view].camera.at(0), 0, 0, observation.clip.width,
                        observation.clip.height, size, size);
      DrawPlan(image, camera, active);
      pictures.views[view].push_back(std::move(image));
    }
  }
  pictures.same_outcome = env.Success() == result.success;
  return pictures;
}

TrialPictures ImaginedPictures(const TrialResult& result, double period_s, int size) {
  AIM_CHECK(!result.plans.empty() && result.imagined);
  const Clip& clip = result.imagined->clip;
  TrialPictures pictures;
  pictures.same_outcome = true;  // it was not played again
  for (size_t view = 0; view < clip.views.size(); ++view) {
    std::vector<Image>& plain = pictures.plain.emplace_back();
    std::vector<Image>& planned = pictures.views.emplace_back();
    for (size_t frame = 0; frame < clip.poses.size(); ++frame) {
      plain.push_back(AtReportSize(FrameOf(clip, view, frame), size));
      planned.push_back(plain.back());
      const Camera camera = CropAndResize(clip.views[view].camera.at(0), 0, 0, clip.width,
                                          clip.height, plain.back().width, plain.back().height);
      DrawPlan(planned.back(), camera, PlanAt(result.plans, static_cast<int>(frame), period_s));
    }
  }
  return pictures;
}

Image TrialFilmstrip(const TrialPictures& pictures, int num_frames) {
  AIM_CHECK(num_frames >= 2);
  std::vector<Image> rows;
  for (size_t view = 0; view < pictures.views.size(); ++view) {
    if (!pictures.plain.empty()) rows.push_back(StripOf(pictures.plain[view], num_frames));
    rows.push_back(StripOf(pictures.views[view], num_frames));
  }
  return StackImages(rows);
}

Image VideoFrame(const TrialPictures& pictures, size_t view, size_t frame) {
  const Image& planned = pictures.views[view][frame];
  if (pictures.plain.empty()) return planned;
  const std::array<Image, 2> both = {pictures.plain[view][frame], planned};
  return Filmstrip(both);
}

}  // namespace aim
