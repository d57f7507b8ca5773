#include "calibration/footage.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "aim/media/resize.h"

namespace aim {
namespace {

constexpr int kFlowSidePx = 256;   // of the shorter side while motion is measured
constexpr int kMostFlowPx = 1024;  // of the longer one
constexpr int kMostKeptPx = 960;

Image Scaled(const Image& image, double scale, int least_px) {
  const auto side = [&](int px) {
    return std::max(least_px, static_cast<int>(std::lround(px * scale)));
  };
  return ResizeImage(image, side(image.width), side(image.height));
}

Image ForFlow(const Image& image) {
  const double up = static_cast<double>(kFlowSidePx) / std::min(image.width, image.height);
  const double most = static_cast<double>(kMostFlowPx) / std::max(image.width, image.height);
  return Scaled(image, std::min(up, most), 32);
}

Image ForKeeping(const Image& image) {
  const double most = static_cast<double>(kMostKeptPx) / std::max(image.width, image.height);
  return most >= 1 ? image : Scaled(image, most, 1);
}

// One view's frames in order; remembers those that open a pair until its other frame comes.
class MotionWatcher {
 public:
  explicit MotionWatcher(const MotionPlan& plan)
      : plan_(plan), starts_(plan.frames.begin(), plan.frames.end()) {}

  void See(int frame, const Image& image) {
    const bool starts = starts_.contains(frame);
    const auto first = open_.find(frame - plan_.stride);
    if (!starts && first == open_.end()) return;
    Image scaled = ForFlow(image);
    if (first != open_.end()) {
      motion_.push_back(OpticalFlow(first->second, scaled));
      open_.erase(first);
    }
    if (starts) open_.emplace(frame, std::move(scaled));
  }

  ViewMotion Take() { return std::move(motion_); }

 private:
  const MotionPlan& plan_;
  std::set<int> starts_;
  FramePictures open_;
  ViewMotion motion_;
};

}  // namespace

Footage WatchRecording(const Recording& recording, const MotionPlan& plan,
                       const std::set<int>& kept, Progress& progress) {
  const size_t num_views = recording.numbers.cameras.size();
  std::vector<MotionWatcher> watchers(num_views, MotionWatcher(plan));
  Footage footage;
  footage.pictures.resize(num_views);
  progress.Start("watch frames", static_cast<int64_t>(num_views) * recording.num_frames);
  recording.visit_pictures([&](size_t view, int frame, const Image& image) {
    watchers[view].See(frame, image);
    if (kept.contains(frame)) footage.pictures[view].emplace(frame, ForKeeping(image));
    progress.Advance(1);
  });
  progress.Finish();
  for (MotionWatcher& watcher : watchers) footage.motion.push_back(watcher.Take());
  return footage;
}

}  // namespace aim
