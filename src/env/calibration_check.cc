#include "env/calibration_check.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/codec/camera_reading.h"

namespace aim {
namespace {

// The tip lies between two open fingers, up to 5 % of a picture from both in RLBench's cameras
// (docs/reference/formats.md 1.4); a wrong convention is off by 10 to 100 %.
constexpr double kTolerance = 0.07;  // of the picture's side
constexpr double kLeastTolerancePx = 2;
constexpr double kNowhere = std::numeric_limits<double>::infinity();

// From the projected point to the nearest pixel that shows the part; infinite behind the camera.
double DistancePx(const Camera& camera, const GripperMark& mark) {
  const auto projection = Project(camera, mark.p_in_world);
  if (!projection) return kNowhere;
  double least = kNowhere;
  size_t pixel = 0;
  for (int row = 0; row < camera.height; ++row) {
    for (int column = 0; column < camera.width; ++column, ++pixel) {
      if (mark.mask[pixel] == 0) continue;
      least = std::min(
          least, std::hypot(projection->uv.x() - (column + 0.5), projection->uv.y() - (row + 0.5)));
    }
  }
  return least;
}

bool IsShown(const GripperMark& mark) {
  return std::any_of(mark.mask.begin(), mark.mask.end(), [](uint8_t pixel) { return pixel != 0; });
}

// Of the marks that the picture shows.
double WorstDistancePx(const Camera& camera, std::span<const GripperMark> marks) {
  double worst = 0;
  for (const GripperMark& mark : marks) {
    if (IsShown(mark)) worst = std::max(worst, DistancePx(camera, mark));
  }
  return worst;
}

std::string WhatWouldFit(const Camera& camera, std::span<const GripperMark> marks,
                         double tolerance_px) {
  double least = tolerance_px;
  std::string words;
  for (const CameraReading& reading : AllCameraReadings()) {
    const double worst = WorstDistancePx(ReadAs(reading, camera), marks);
    if (worst >= least) continue;
    least = worst;
    words = ToWords(reading);
  }
  return words.empty() ? "no other reading of its numbers fits either" : "it would fit as " + words;
}

}  // namespace

int CheckCalibration(std::span<const CameraTrack> views,
                     std::span<const std::vector<GripperMark>> marks, const std::string& where) {
  AIM_CHECK(views.size() == marks.size());
  int num_judged = 0;
  for (size_t i = 0; i < views.size(); ++i) {
    const Camera& camera = views[i].frames.front();
    const double tolerance_px =
        std::max(kLeastTolerancePx, kTolerance * std::min(camera.width, camera.height));
    for (const GripperMark& mark : marks[i]) {
      if (!IsShown(mark)) continue;
      ++num_judged;
      const double distance_px = DistancePx(camera, mark);
      if (distance_px <= tolerance_px) continue;
      const std::string off = std::isfinite(distance_px)
                                  ? ToText(std::round(10 * distance_px) / 10) +
                                        " pixels from where the picture shows it"
                                  : "behind the camera, whose picture shows it";
      throw ConfigError(
          {.where = where + ": the calibration of " + NameOfView(views[i], i),
           .got = "not that of its pictures: the gripper's " + mark.name + " is " + off,
           .expected = "at most " + ToText(std::round(10 * tolerance_px) / 10),
           .fix = WhatWouldFit(camera, marks[i], tolerance_px)});
    }
  }
  return num_judged;
}

}  // namespace aim
