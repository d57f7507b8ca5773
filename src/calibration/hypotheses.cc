#include "calibration/hypotheses.h"

#include <algorithm>
#include <cmath>

#include "aim/base/options.h"
#include "aim/base/text.h"

namespace aim {
namespace {

constexpr int kMaxLagFrames = 10;
constexpr double kUsualRatioLow = 0.8;    // principal points of one picture size
constexpr double kUsualRatioHigh = 1.25;  // lie between these; beyond, the size is another

Verdict VerdictOf(const CameraReading& reading, const ClipNumbers& given) {
  if (reading.inverted) return Verdict::kInvertedExtrinsics;
  const bool has_negative =
      std::any_of(given.cameras.begin(), given.cameras.end(), HasNegativeFocal);
  return has_negative ? Verdict::kNegativeFocal : Verdict::kFlippedAxes;
}

// The numbers of a camera as RLBench's convention stores them; ReadAs turns them back.
Camera InRlbenchAxes(Camera camera) {
  camera.fx = -camera.fx;
  camera.fy = -camera.fy;
  camera.world_from_camera.rotation *= Eigen::Quaterniond(0, 0, 0, 1);
  return camera;
}

void AddReadings(const ClipNumbers& given, std::vector<Hypothesis>& all) {
  for (const CameraReading& reading : AllCameraReadings()) {
    if (reading == CameraReading()) continue;
    Hypothesis hypothesis{.verdict = VerdictOf(reading, given),
                          .words = "the cameras read like " + ToWords(reading),
                          .numbers = given,
                          .views = {},
                          .of_each_view = true};
    hypothesis.numbers.cameras = ChangeAll(given.cameras, [&](const Camera& camera) {
      return ReadAs(reading, given.rlbench_axes ? InRlbenchAxes(camera) : camera);
    });
    all.push_back(std::move(hypothesis));
  }
}

// How many times as large as the pictures those are that the intrinsics are for; 1 if the same.
double RatioOf(const ClipNumbers& given, size_t view) {
  if (given.declared[view] != 1) return given.declared[view];
  const double ratio = ResolutionRatio(given.cameras[view].frames[0]);
  return ratio > kUsualRatioLow && ratio < kUsualRatioHigh ? 1 : ratio;
}

void AddIntrinsics(const ClipNumbers& given, std::vector<Hypothesis>& all) {
  Hypothesis centred{.verdict = Verdict::kPrincipalPoint,
                     .words = "the principal point is in the middle of the picture",
                     .numbers = given,
                     .views = {}};
  Hypothesis rescaled{.verdict = Verdict::kOtherResolution,
                      .words = "",
                      .numbers = given,
                      .views = {},
                      .of_each_view = true};
  for (size_t view = 0; view < given.cameras.size(); ++view) {
    if (OffCentre(given.cameras[view].frames[0]) > kOffCentreSuspicion) {
      centred.views.push_back(view);
      for (Camera& camera : centred.numbers.cameras[view].frames) {
        camera.cx = 0.5 * camera.width;
        camera.cy = 0.5 * camera.height;
      }
    }
    const double ratio = RatioOf(given, view);
    if (ratio == 1) continue;
    rescaled.views.push_back(view);
    rescaled.words = "the intrinsics are for pictures " + ToText(std::round(100 * ratio) / 100) +
                     " times as large";
    for (Camera& camera : rescaled.numbers.cameras[view].frames) {
      camera = FromResolution(camera, ratio);
    }
  }
  if (!centred.views.empty()) all.push_back(std::move(centred));
  if (!rescaled.views.empty()) all.push_back(std::move(rescaled));
}

void AddSwaps(const ClipNumbers& given, std::vector<Hypothesis>& all) {
  for (size_t a = 0; a < given.cameras.size(); ++a) {
    for (size_t b = a + 1; b < given.cameras.size(); ++b) {
      const Camera& first = given.cameras[a].frames[0];
      const Camera& second = given.cameras[b].frames[0];
      if (first.width != second.width || first.height != second.height) continue;
      Hypothesis swapped{.verdict = Verdict::kSwappedViews,
                         .words = "the cameras of " + NameOfView(given.cameras[a], a) + " and " +
                                  NameOfView(given.cameras[b], b) + " are swapped",
                         .numbers = given,
                         .views = {a, b}};
      std::swap(swapped.numbers.cameras[a].frames, swapped.numbers.cameras[b].frames);
      all.push_back(std::move(swapped));
    }
  }
}

void AddMillimetres(const ClipNumbers& given, std::vector<Hypothesis>& all) {
  Hypothesis cameras{.verdict = Verdict::kMillimetres,
                     .words = "the positions of the cameras are in millimetres",
                     .numbers = given,
                     .views = {}};
  cameras.numbers.cameras = ChangeAll(given.cameras, InMetres);
  all.push_back(std::move(cameras));
  Hypothesis poses{.verdict = Verdict::kMillimetres,
                   .words = "the positions of the poses are in millimetres",
                   .numbers = given,
                   .views = {}};
  poses.numbers.poses = PosesInMetres(given.poses);
  all.push_back(std::move(poses));
}

void AddTimes(const ClipNumbers& given, std::vector<Hypothesis>& all) {
  for (int lag = -kMaxLagFrames; lag <= kMaxLagFrames; ++lag) {
    if (lag == 0) continue;
    all.push_back({.verdict = Verdict::kTimeOffset,
                   .words = "the poses are " + CountText(std::abs(lag), "frame") +
                            (lag > 0 ? " late" : " early"),
                   .numbers = given,
                   .lag_frames = lag,
                   .views = {}});
  }
}

}  // namespace

bool HasNegativeFocal(const CameraTrack& track) {
  return track.frames[0].fx < 0 || track.frames[0].fy < 0;
}

double OffCentre(const Camera& camera) {
  return std::max(std::abs(camera.cx / camera.width - 0.5),
                  std::abs(camera.cy / camera.height - 0.5));
}

std::vector<ToolPose> FromScalarFirst(std::vector<ToolPose> poses) {
  for (ToolPose& pose : poses) {
    const Eigen::Quaterniond& read = pose.world_from_tool.rotation;  // x y z w hold w x y z
    pose.world_from_tool.rotation = Eigen::Quaterniond(read.x(), read.y(), read.z(), read.w());
  }
  return poses;
}

std::vector<Hypothesis> AllHypotheses(const ClipNumbers& given) {
  std::vector<Hypothesis> all;
  all.push_back({.verdict = Verdict::kOk, .words = "as given", .numbers = given, .views = {}});
  AddReadings(given, all);
  AddIntrinsics(given, all);
  AddSwaps(given, all);
  Hypothesis scalar_first{.verdict = Verdict::kQuaternionOrder,
                          .words = "the quaternions are in the order w x y z",
                          .numbers = given,
                          .views = {}};
  scalar_first.numbers.poses = FromScalarFirst(given.poses);
  all.push_back(std::move(scalar_first));
  AddMillimetres(given, all);
  AddTimes(given, all);
  return all;
}

}  // namespace aim
