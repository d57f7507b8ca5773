#include "calibration/doctor_pictures.h"

#include <algorithm>
#include <string>
#include <vector>

#include "aim/media/filmstrip.h"
#include "aim/media/overlay.h"
#include "aim/media/resize.h"

namespace aim {
namespace {

constexpr int kNumShown = 6;
constexpr int kShownHeightPx = 256;
constexpr int kLabelPx = 9;
constexpr Rgb kGivenColor = {255, 200, 60};
constexpr Rgb kCorrectedColor = {120, 255, 140};

struct RowStyle {
  std::string label;
  Rgb color;
};

Image DrawRow(const CameraTrack& track, std::span<const ToolPose> poses, int lag_frames,
              const std::set<int>& frames, const FramePictures& pictures, const RowStyle& style) {
  std::vector<Image> row;
  for (const int frame : frames) {
    const Image& picture = pictures.at(frame);
    const int width = std::max(1, picture.width * kShownHeightPx / picture.height);
    Image image = ResizeImage(picture, width, kShownHeightPx);
    const Camera& camera = track.at(static_cast<size_t>(frame));
    const Camera shown =
        CropAndResize(camera, 0, 0, camera.width, camera.height, image.width, image.height);
    const int pose = frame + lag_frames;
    if (pose >= 0 && pose < static_cast<int>(poses.size())) {
      DrawToolPose(image, shown, poses[static_cast<size_t>(pose)]);
    }
    const std::string label = row.empty() ? style.label : "frame " + std::to_string(frame);
    DrawLabel(image, label, 2, 2, kLabelPx, style.color);
    row.push_back(std::move(image));
  }
  return Filmstrip(row);
}

}  // namespace

std::set<int> ShownFrames(int num_frames) { return SpreadFrames(num_frames, kNumShown); }

Image DrawOverlays(const ClipNumbers& given, const Diagnosis& diagnosis,
                   const std::set<int>& frames, std::span<const FramePictures> pictures) {
  const bool is_fault =
      diagnosis.verdict != Verdict::kOk && diagnosis.verdict != Verdict::kUndecided;
  std::vector<Image> rows;
  for (size_t view = 0; view < given.cameras.size(); ++view) {
    const std::string name = NameOfView(given.cameras[view], view);
    rows.push_back(DrawRow(given.cameras[view], given.poses, 0, frames, pictures[view],
                           {name + " as given", kGivenColor}));
    if (!is_fault) continue;
    rows.push_back(DrawRow(diagnosis.corrected.cameras[view], diagnosis.corrected.poses,
                           diagnosis.lag_frames, frames, pictures[view],
                           {name + " corrected", kCorrectedColor}));
  }
  return StackImages(rows);
}

}  // namespace aim
