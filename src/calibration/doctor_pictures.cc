#include "calibration/doctor_pictures.h"

#include <algorithm>
#include <optional>
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
constexpr Rgb kDoubtColor = {120, 200, 255};
constexpr int kLegendLinePx = 20;

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

// What is drawn below the numbers as given.
struct OtherReading {
  const ClipNumbers* numbers;
  int lag_frames;
  std::set<size_t> views;  // in which it differs
  std::string label;
  std::string words;
  Rgb color;
};

std::optional<OtherReading> OtherThanGiven(const ClipNumbers& given, const Diagnosis& diagnosis) {
  std::set<size_t> views;
  for (size_t view = 0; view < given.cameras.size(); ++view) views.insert(view);
  if (diagnosis.doubt) {
    const std::vector<size_t>& concerned = diagnosis.doubt->views;
    return OtherReading{.numbers = &diagnosis.doubt->numbers,
                        .lag_frames = diagnosis.doubt->lag_frames,
                        .views = {concerned.begin(), concerned.end()},
                        .label = "if otherwise",
                        .words = "if " + diagnosis.doubt->words + ", which would fit as well",
                        .color = kDoubtColor};
  }
  if (diagnosis.verdict == Verdict::kOk || diagnosis.verdict == Verdict::kUndecided) {
    return std::nullopt;
  }
  return OtherReading{.numbers = &diagnosis.corrected,
                      .lag_frames = diagnosis.lag_frames,
                      .views = std::move(views),
                      .label = "corrected",
                      .words = "corrected: " + diagnosis.sentence,
                      .color = kCorrectedColor};
}

// A line for what the marks mean, and one for each reading, in its colour.
Image DrawLegend(const std::optional<OtherReading>& other, int width) {
  Image legend(width, (other ? 3 : 2) * kLegendLinePx);  // black
  int y = 4;
  const auto line = [&](const std::string& text, const Rgb& color) {
    DrawLabel(legend, text, 4, y, kLabelPx, color);
    y += kLegendLinePx;
  };
  line(
      "red: the tip, between the finger ends (ring: open); green: 0.1 m along the tool's x; "
      "blue: 0.1 m behind it, along -z",
      {255, 255, 255});
  line("as given: the tool where the files say it is", kGivenColor);
  if (other) line(other->words, other->color);
  return legend;
}

}  // namespace

std::set<int> ShownFrames(int num_frames) { return SpreadFrames(num_frames, kNumShown); }

Image DrawOverlays(const ClipNumbers& given, const Diagnosis& diagnosis,
                   const std::set<int>& frames, std::span<const FramePictures> pictures) {
  const std::optional<OtherReading> other = OtherThanGiven(given, diagnosis);
  std::vector<Image> rows;
  for (size_t view = 0; view < given.cameras.size(); ++view) {
    const std::string name = NameOfView(given.cameras[view], view);
    rows.push_back(DrawRow(given.cameras[view], given.poses, 0, frames, pictures[view],
                           {name + " as given", kGivenColor}));
    if (!other || !other->views.contains(view)) continue;
    rows.push_back(DrawRow(other->numbers->cameras[view], other->numbers->poses, other->lag_frames,
                           frames, pictures[view], {name + " " + other->label, other->color}));
  }
  rows.insert(rows.begin(), DrawLegend(other, rows[0].width));
  return StackImages(rows);
}

}  // namespace aim
