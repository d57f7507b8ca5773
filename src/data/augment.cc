#include "aim/data/augment.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>
#include <utility>

#include "aim/base/error.h"
#include "aim/media/jitter.h"

namespace aim {
namespace {

constexpr double kLeastTurnRad = 1e-4;

CameraTurn DrawTurn(const AugmentOptions& options, Rng& rng) {
  const double turn_rad = options.turn_deg * kDegree;
  const double roll_rad = options.roll_deg * kDegree;
  CameraTurn turn;
  turn.rotation_rad.x() = rng.Uniform(-turn_rad, turn_rad);
  turn.rotation_rad.y() = rng.Uniform(-turn_rad, turn_rad);
  turn.rotation_rad.z() = rng.Uniform(-roll_rad, roll_rad);
  turn.zoom = rng.Uniform(1, 1 + options.zoom);
  return turn;
}

LightChange DrawLight(const AugmentOptions& options, Rng& rng) {
  const auto factor = [&](double strength) { return rng.Uniform(1 - strength, 1 + strength); };
  LightChange change;
  change.brightness = factor(options.brightness);
  change.contrast = factor(options.contrast);
  change.saturation = factor(options.saturation);
  change.hue_rad = rng.Uniform(-options.hue_deg, options.hue_deg) * kDegree;
  return change;
}

// A camera that moves is turned in each of its frames, and zooms as that which needs it most.
// Turned half as far as long as no zoom would fill the picture.
std::vector<Camera> TurnTrack(const std::vector<Camera>& cameras, CameraTurn turn) {
  std::vector<Camera> turned;
  double zoom = turn.zoom;
  while (turned.size() < cameras.size()) {
    const Camera& camera = cameras[turned.size()];
    if (const std::optional<Camera> after = TurnCamera(camera, turn)) {
      zoom = std::max(zoom, after->fx / camera.fx);
      turned.push_back(*after);
    } else if (turn.rotation_rad.norm() < kLeastTurnRad) {
      return cameras;  // its optical axis lies outside the picture
    } else {
      turn.rotation_rad /= 2;
      turned.clear();
    }
  }
  for (size_t i = 0; i < cameras.size(); ++i) {
    turned[i].fx = cameras[i].fx * zoom;
    turned[i].fy = cameras[i].fy * zoom;
  }
  return turned;
}

void AugmentView(const CameraTurn& turn, const LightChange& light, Image& frame, ClipView& view) {
  const bool is_calibrated = !view.camera.frames.empty();
  const bool turns = is_calibrated && (!turn.rotation_rad.isZero() || turn.zoom > 1);
  const CameraTrack before = view.camera;
  if (turns) view.camera.frames = TurnTrack(before.frames, turn);
  const auto frame_bytes = static_cast<std::ptrdiff_t>(frame.rgb.size());
  for (int i = 0; i < view.num_frames; ++i) {
    const auto begin = view.rgb.begin() + i * frame_bytes;
    std::copy_n(begin, frame_bytes, frame.rgb.begin());
    const auto at = static_cast<size_t>(i);
    Image changed = turns ? SeenBy(view.camera.at(at), frame, before.at(at)) : frame;
    ChangeLight(light, changed);
    std::copy(changed.rgb.begin(), changed.rgb.end(), begin);
  }
}

}  // namespace

std::vector<int> DrawViews(int count, int num_views, Rng& rng) {
  AIM_CHECK(count <= num_views);
  std::vector<int> views(static_cast<size_t>(num_views));
  std::iota(views.begin(), views.end(), 0);
  for (int i = 0; i < count; ++i) {
    const auto other = static_cast<size_t>(i + rng.UniformInt(num_views - i));
    std::swap(views[static_cast<size_t>(i)], views[other]);
  }
  views.resize(static_cast<size_t>(count));
  return views;
}

Clip TakeViews(const Clip& clip, const std::vector<int>& views) {
  Clip taken = clip;
  taken.views.clear();
  for (const int view : views) taken.views.push_back(clip.views.at(static_cast<size_t>(view)));
  return taken;
}

Clip Augment(Clip clip, const AugmentOptions& options, Rng& rng) {
  Image frame(clip.width, clip.height);
  for (ClipView& view : clip.views) {
    const CameraTurn turn = DrawTurn(options, rng);
    const LightChange light = DrawLight(options, rng);
    if (options != AugmentOptions()) AugmentView(turn, light, frame, view);
  }
  return clip;
}

}  // namespace aim
