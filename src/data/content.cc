#include "data/content.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "aim/base/rng.h"
#include "aim/base/text.h"

namespace aim {
namespace {

constexpr double kSamePositionM = 1e-5;
constexpr double kSameRotationRad = 1e-5;
constexpr double kSameOpenness = 1e-5;

bool IsSamePose(const ToolPose& a, const ToolPose& b) {
  const PoseDifference apart = Difference(a, b);
  return apart.position_m <= kSamePositionM && apart.rotation_rad <= kSameRotationRad &&
         std::abs(a.gripper_open - b.gripper_open) <= kSameOpenness;
}

}  // namespace

void PictureHash::Add(size_t view, std::span<const uint8_t> rgb) {
  const std::string_view bytes(reinterpret_cast<const char*>(rgb.data()), rgb.size());
  views_.at(view) = StableHash(bytes, views_[view]);
}

std::string PictureHash::Text() const {
  std::string all;
  for (const uint64_t view : views_) all += HexText(view);
  return HexText(StableHash(all));
}

std::string HashPictures(const Clip& clip) {
  PictureHash hash(clip.views.size());
  for (size_t v = 0; v < clip.views.size(); ++v) {
    const std::span<const uint8_t> rgb(clip.views[v].rgb);
    const size_t frame_bytes = rgb.size() / static_cast<size_t>(clip.views[v].num_frames);
    for (size_t at = 0; at < rgb.size(); at += frame_bytes) {
      hash.Add(v, rgb.subspan(at, frame_bytes));
    }
  }
  return hash.Text();
}

std::string HashSomePictures(OpenEpisode& episode) {
  const int num_frames = episode.num_frames();
  PictureHash hash(episode.facts().clip.views.size());
  for (const int frame : std::set<int>{0, num_frames / 2, num_frames - 1}) {
    const Episode one = episode.Read({frame, frame + 1});
    for (size_t v = 0; v < one.clip.views.size(); ++v) hash.Add(v, one.clip.views[v].rgb);
  }
  return hash.Text() + "-" + std::to_string(num_frames);
}

bool SayTheSame(const Clip& a, const Clip& b) {
  if (a.prompt != b.prompt || a.poses.size() != b.poses.size()) return false;
  const auto are_both_calibrated = [](const ClipView& one, const ClipView& other) {
    return one.camera.frames.empty() == other.camera.frames.empty();
  };
  if (!std::equal(a.views.begin(), a.views.end(), b.views.begin(), b.views.end(),
                  are_both_calibrated)) {
    return false;
  }
  return std::equal(a.poses.begin(), a.poses.end(), b.poses.begin(), IsSamePose);
}

}  // namespace aim
