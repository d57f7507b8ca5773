#include "data/episode_checks.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/codec/action_image.h"
#include "aim/codec/rig_check.h"
#include "aim/media/frame_times.h"

namespace aim {
namespace {

constexpr int kSameValue = 8;     // of 255
constexpr double kFrozenS = 1;    // a shorter stretch is not told
constexpr int kFrozenFrames = 5;  // the same, at low rates
constexpr double kRepeatedShare = 1.0 / 3;
constexpr int kRepeatedFrames = 10;   // that moved, at least
constexpr double kMovesPx = 2;        // between two frames of a stretch, in the picture
constexpr double kStepMovesPx = 0.5;  // from one frame to the next
constexpr double kMovesM = 0.005;     // where no camera is known
constexpr double kMovesRad = 0.05;
constexpr double kStepMovesM = 0.002;
constexpr double kStepMovesRad = 0.02;

Finding ErrorOf(FindingKind kind, std::string problem, int frame = -1) {
  return {.data = {},
          .episode = {},
          .kind = kind,
          .severity = Severity::kError,
          .frame = frame,
          .problem = std::move(problem)};
}

Finding WarningOf(FindingKind kind, std::string problem, int frame = -1) {
  Finding finding = ErrorOf(kind, std::move(problem), frame);
  finding.severity = Severity::kWarning;
  return finding;
}

// Appends an error of the kind for the first of `count` things that `check(k)` refuses.
void CheckEach(FindingKind kind, size_t count, const std::function<void(size_t)>& check,
               std::vector<Finding>& findings) {
  for (size_t k = 0; k < count; ++k) {
    try {
      check(k);
    } catch (const InputError& error) {
      findings.push_back(ErrorOf(kind, error.what(), static_cast<int>(k)));
      return;
    }
  }
}

void CheckPoses(const Episode& facts, int num_frames, std::vector<Finding>& findings) {
  const std::vector<ToolPose>& poses = facts.clip.poses;
  if (poses.size() > 1 && poses.size() != static_cast<size_t>(num_frames)) {
    findings.push_back(ErrorOf(FindingKind::kPoseCount,
                               std::to_string(poses.size()) + " poses for " +
                                   std::to_string(num_frames) +
                                   " frames; expected one a frame, the first alone, or none"));
  }
  for (const std::vector<ToolPose>* each : {&poses, &facts.measured}) {
    const char* name = each == &poses ? "pose of frame " : "measured pose of frame ";
    CheckEach(
        FindingKind::kBadPose, each->size(),
        [&](size_t k) { Validate((*each)[k], name + std::to_string(k)); }, findings);
  }
}

void CheckViews(const Episode& facts, std::vector<Finding>& findings) {
  for (size_t v = 0; v < facts.clip.views.size(); ++v) {
    const CameraTrack& track = facts.clip.views[v].camera;
    CheckEach(
        FindingKind::kBadCamera, track.frames.size(),
        [&](size_t k) { Validate(track.frames[k], NameOfView(track, v)); }, findings);
  }
}

bool HasError(const std::vector<Finding>& findings, FindingKind kind) {
  return std::any_of(findings.begin(), findings.end(),
                     [&](const Finding& finding) { return finding.kind == kind; });
}

std::string ThreeDigits(double value) { return ToText(std::round(1000 * value) / 1000); }

// The fastest step, if it is faster than any robot.
void CheckJumps(const Episode& facts, std::vector<Finding>& findings) {
  const std::vector<ToolPose>& poses = facts.clip.poses;
  size_t worst = 0;
  double most = 1;
  int count = 0;
  for (size_t k = 1; k < std::min(poses.size(), facts.times_s.size()); ++k) {
    const PoseDifference step = Difference(poses[k - 1], poses[k]);
    const double time_s = facts.times_s[k] - facts.times_s[k - 1];
    const double tip_m = step.position_m > kLeastJumpM ? step.position_m : 0;
    const double turn_rad = step.rotation_rad > kLeastJumpRad ? step.rotation_rad : 0;
    const double excess =
        std::max(tip_m / kFastestTipMps, turn_rad / kFastestTurnRadps) / std::max(time_s, 1e-6);
    count += excess > 1 ? 1 : 0;
    if (excess <= most) continue;
    most = excess;
    worst = k;
  }
  if (worst == 0) return;
  const PoseDifference step = Difference(poses[worst - 1], poses[worst]);
  const double time_s = facts.times_s[worst] - facts.times_s[worst - 1];
  Finding finding =
      ErrorOf(FindingKind::kJump,
              "the pose jumps by " + ThreeDigits(step.position_m) + " m and " +
                  ThreeDigits(step.rotation_deg()) + " degrees in " + ThreeDigits(time_s) +
                  " s before frame " + std::to_string(worst) + "; no robot moves faster than " +
                  ToText(kFastestTipMps) + " m/s or " + ToText(kFastestTurnRadps) + " rad/s" +
                  (count > 1 ? " (" + CountText(count, "jump") + " in all)" : ""),
              static_cast<int>(worst));
  if (!facts.confidence.empty()) finding.severity = Severity::kWarning;  // labels may be wrong
  findings.push_back(std::move(finding));
}

void CheckSight(const Episode& facts, std::vector<Finding>& findings) {
  if (!TellsOfCameras(facts) || HasError(findings, FindingKind::kPoseCount) ||
      HasError(findings, FindingKind::kBadPose) || HasError(findings, FindingKind::kBadCamera)) {
    return;
  }
  try {
    for (const std::string& doubt : CheckRig(CamerasOf(facts.clip), facts.clip.poses, "its rig")) {
      findings.push_back(
          WarningOf(FindingKind::kDoubtfulCamera, doubt.substr(doubt.find(": ") + 2)));
    }
  } catch (const InputError& error) {
    findings.push_back(ErrorOf(FindingKind::kBlindCameras, error.what()));
  }
}

bool IsInPicture(const Camera& camera, const std::optional<Projection>& point) {
  return point && point->uv.x() >= 0 && point->uv.x() <= camera.width && point->uv.y() >= 0 &&
         point->uv.y() <= camera.height;
}

// How far the picture must have changed: the most that one of the tool's three marks moved in it,
// or its place in the world, which is in it before or after.
double MovedPx(const Camera& camera_before, const ToolPose& before, const Camera& camera_after,
               const ToolPose& after) {
  const auto marks_before = AnchorPoints(before);
  const auto marks_after = AnchorPoints(after);
  double most_px = 0;
  for (size_t i = 0; i < marks_before.size(); ++i) {
    const auto from = Project(camera_before, marks_before[i]);
    const auto to = Project(camera_after, marks_after[i]);
    const auto place = Project(camera_after, marks_before[i]);
    if (!IsInPicture(camera_before, from) && !IsInPicture(camera_after, to)) continue;
    if (from && to) most_px = std::max(most_px, (to->uv - from->uv).norm());
    if (from && place) most_px = std::max(most_px, (place->uv - from->uv).norm());
  }
  return most_px;
}

bool AreSamePictures(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(),
                    [](uint8_t x, uint8_t y) { return std::abs(int{x} - int{y}) <= kSameValue; });
}

}  // namespace

std::vector<Finding> CheckFacts(const Episode& facts, int num_frames) {
  std::vector<Finding> findings;
  CheckPoses(facts, num_frames, findings);
  CheckViews(facts, findings);
  CheckJumps(facts, findings);
  CheckSight(facts, findings);
  const std::string uneven = DescribeUnevenTimes(facts.times_s, facts.clip.fps);
  if (!uneven.empty()) findings.push_back(WarningOf(FindingKind::kUnevenTimes, uneven));
  if (facts.clip.prompt.find_first_not_of(" \t\r\n") == std::string::npos) {
    findings.push_back(WarningOf(FindingKind::kNoPrompt, "the prompt is empty"));
  }
  return findings;
}

StillPictures::StillPictures(const Episode& facts, size_t view) : facts_(facts), view_(view) {}

// Between two frames, seen by this view.
bool StillPictures::ToolMoves(int from, int to) const {
  const std::vector<ToolPose>& poses = facts_.clip.poses;
  const CameraTrack& track = facts_.clip.views[view_].camera;
  if (poses.size() <= static_cast<size_t>(to)) return true;
  const ToolPose& first = poses[static_cast<size_t>(from)];
  const ToolPose& last = poses[static_cast<size_t>(to)];
  const bool is_step = to == from + 1;
  if (track.frames.empty()) {
    const PoseDifference moved = Difference(first, last);
    return moved.position_m > (is_step ? kStepMovesM : kMovesM) ||
           moved.rotation_rad > (is_step ? kStepMovesRad : kMovesRad);
  }
  const double moved_px =
      MovedPx(track.at(static_cast<size_t>(from)), first, track.at(static_cast<size_t>(to)), last);
  return moved_px > (is_step ? kStepMovesPx : kMovesPx);
}

void StillPictures::Add(int frame, std::span<const uint8_t> rgb) {
  const bool is_same = frame_ >= 0 && AreSamePictures(last_, rgb);
  if (frame_ >= 0 && ToolMoves(frame_, frame)) {
    ++num_moving_;
    num_repeated_ += is_same ? 1 : 0;
  }
  if (!is_same) {
    begin_ = frame;
    last_.assign(rgb.begin(), rgb.end());  // a stretch is compared with its first picture
  } else if (frame - begin_ > longest_end_ - longest_begin_ && ToolMoves(begin_, frame)) {
    longest_begin_ = begin_;
    longest_end_ = frame;
  }
  frame_ = frame;
}

std::vector<Finding> StillPictures::Findings() const {
  const std::string name = NameOfView(facts_.clip.views[view_].camera, view_);
  const int length = longest_end_ - longest_begin_;
  if (length >= kFrozenFrames && length / facts_.clip.fps >= kFrozenS) {
    return {WarningOf(FindingKind::kFrozenPictures,
                      name + " shows one picture in frames " + std::to_string(longest_begin_) +
                          " to " + std::to_string(longest_end_) + " (" +
                          ThreeDigits(length / facts_.clip.fps) + " s)",
                      longest_begin_)};
  }
  if (num_moving_ >= kRepeatedFrames && num_repeated_ >= kRepeatedShare * num_moving_) {
    return {WarningOf(FindingKind::kRepeatedPictures,
                      name + " shows the picture before once more in " +
                          std::to_string(num_repeated_) + " of " + std::to_string(num_moving_) +
                          " frames: recorded at a lower rate than " + RateText(facts_.clip.fps) +
                          " a second?")};
  }
  return {};
}

}  // namespace aim
