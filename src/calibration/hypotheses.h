// All ways in which the doctor tries to understand a clip's numbers.
#pragma once

#include <string>
#include <vector>

#include "aim/calibration/doctor.h"
#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"

namespace aim {

// The numbers of a clip as its files give them.
struct ClipNumbers {
  std::vector<CameraTrack> cameras;  // of the size of the pictures, focal lengths of any sign
  std::vector<double> declared;  // a view: width that its camera is for over that of its pictures
  std::vector<ToolPose> poses;
  bool rlbench_axes = false;  // the files hold x left, y up; what is wrong is wrong in these
};

// What was meant, perhaps.
struct Hypothesis {
  Verdict verdict = Verdict::kOk;
  std::string words;
  ClipNumbers numbers;
  int lag_frames = 0;         // as in ToolSight
  std::vector<size_t> views;  // whose cameras it changes; empty: all of them, or the poses
  bool of_each_view = false;  // it may be true of some views alone
};

// As given; the 15 other readings of the cameras; then whatever else there is reason to try.
std::vector<Hypothesis> AllHypotheses(const ClipNumbers& given);

// Poses whose quaternions were stored as w x y z.
std::vector<ToolPose> FromScalarFirst(std::vector<ToolPose> poses);

// Of one of the two, or both.
bool HasNegativeFocal(const CameraTrack& track);

// How far the principal point is from the middle, as a part of the picture's side.
double OffCentre(const Camera& camera);

inline constexpr double kOffCentreSuspicion = 0.04;

}  // namespace aim
