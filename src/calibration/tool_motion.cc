#include "calibration/tool_motion.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace aim {
namespace {

constexpr int kMaxStride = 8;
constexpr int kMaxPairs = 120;
constexpr int kMinPairs = 4;
constexpr double kStepFraction = 1.0 / 30;     // of the room: a good step between a pair's frames
constexpr double kMovingFraction = 1.0 / 150;  // of the room: less is standing still
constexpr double kUnseenWeight = 0.15;         // of a point's chance, added to those seen
constexpr double kBeyondWeight = 0.3;          // of the motion beyond the finger ends
constexpr double kNoiseFraction = 0.004;  // of the picture's width: what flow cannot tell apart

// A point that goes with the tool, some way aside of it as the picture shows it.
struct ToolPoint {
  Eigen::Vector3d in_tool;                          // metres
  Eigen::Vector3d aside = Eigen::Vector3d::Zero();  // along the camera's axes, metres
};
using Points = std::vector<ToolPoint>;

// Between the fingers and on the hand behind them.
Points HandPoints() {
  Points points;
  for (const double z : {-0.01, -0.03, -0.06, -0.09}) {
    for (const double y : {-0.03, 0.0, 0.03}) points.push_back({{0, y, z}});
  }
  return points;
}

Points PointsBeyondTheTip() { return {{{0, 0, 0.03}}, {{0, 0, 0.05}}, {{0, 0, 0.07}}}; }

// Left and right of the hand in the picture, further than it is wide.
Points PointsAside() {
  Points points;
  for (const double aside : {-0.17, -0.14, 0.14, 0.17}) {
    for (const double z : {-0.01, -0.04, -0.07}) points.push_back({{0, 0, z}, {aside, 0, 0}});
  }
  return points;
}

// Fingers and the sides of the hand, if it opens along y; turned by 90 degrees, if along x.
Points WidePoints(bool along_x) {
  Points points;
  const auto add = [&](double side, double z) {
    points.push_back({{along_x ? side : 0, along_x ? 0 : side, z}});
  };
  for (const double side : {-0.085, -0.065, 0.065, 0.085}) {
    for (const double z : {-0.06, -0.075, -0.09}) add(side, z);
  }
  for (const double side : {-0.05, 0.05}) {
    for (const double z : {-0.01, -0.025}) add(side, z);
  }
  return points;
}

// Diagonal of the box that holds all tips.
double RoomOf(std::span<const ToolPose> poses) {
  Eigen::Vector3d low = poses[0].world_from_tool.translation;
  Eigen::Vector3d high = low;
  for (const ToolPose& pose : poses) {
    low = low.cwiseMin(pose.world_from_tool.translation);
    high = high.cwiseMax(pose.world_from_tool.translation);
  }
  return (high - low).norm();
}

// Median step of the tip over `stride` frames while it moves; 0 if it never does.
double UsualStep(std::span<const ToolPose> poses, int stride, double room) {
  std::vector<double> steps;
  for (size_t k = static_cast<size_t>(stride); k < poses.size(); ++k) {
    const double step = (poses[k].world_from_tool.translation -
                         poses[k - static_cast<size_t>(stride)].world_from_tool.translation)
                            .norm();
    if (step > kMovingFraction * room) steps.push_back(step);
  }
  if (steps.empty()) return 0;
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  return *middle;
}

// A point in widths and heights of the picture, if it is in front of the camera.
std::optional<Eigen::Vector2d> PlaceIn(const Camera& camera, const Eigen::Vector3d& p_in_world) {
  const auto projection = Project(camera, p_in_world);
  if (!projection) return std::nullopt;
  return projection->uv.cwiseQuotient(Eigen::Vector2d(camera.width, camera.height));
}

bool IsInPicture(const Eigen::Vector2d& place) {
  return place.minCoeff() >= 0 && place.x() < 1 && place.y() < 1;
}

// Sums over points and pairs.
struct Tally {
  double agreement = 0;
  int num_seen = 0;
  int num_moving = 0;
  int num_pairs = 0;

  double Mean() const {
    if (num_pairs < kMinPairs) return std::numeric_limits<double>::quiet_NaN();
    const double chances = num_seen + kUnseenWeight * num_moving;
    return chances > 0 ? agreement / chances : 0;
  }
};

// 1 if both vectors are equal, 0 if they know nothing of each other, -1 if they are opposite.
double Likeness(const Camera& camera, const Eigen::Vector2d& expected,
                const Eigen::Vector2d& found) {
  const Eigen::Vector2d shape(1, static_cast<double>(camera.height) / camera.width);
  const Eigen::Vector2d a = expected.cwiseProduct(shape);
  const Eigen::Vector2d b = found.cwiseProduct(shape);
  return 2 * a.dot(b) / (a.squaredNorm() + b.squaredNorm() + kNoiseFraction * kNoiseFraction);
}

// Whether the picture rests at the point's place, or does not show it.
bool IsStill(const Camera& camera, const Eigen::Vector3d& p_in_world, const FlowField& flow) {
  const auto place = PlaceIn(camera, p_in_world);
  if (!place || !IsInPicture(*place)) return true;
  const Eigen::Vector2d shape(1, static_cast<double>(camera.height) / camera.width);
  return flow.At(*place).cwiseProduct(shape).norm() <= kNoiseFraction;
}

// Whether the pose a number of rows on from `row` is elsewhere for this point of the tool.
bool Moves(std::span<const ToolPose> poses, int row, int stride, const Eigen::Vector3d& point,
           double still) {
  const Rigid3d& from = poses[static_cast<size_t>(row)].world_from_tool;
  const Rigid3d& to = poses[static_cast<size_t>(row) + static_cast<size_t>(stride)].world_from_tool;
  return (to * point - from * point).norm() > still;
}

Tally TallyPoints(const ToolSight& sight, const MotionPlan& plan, const ViewMotion& motion,
                  const Points& points) {
  Tally tally;
  const double still = kMovingFraction * RoomOf(sight.poses);
  const auto num_poses = static_cast<int>(sight.poses.size());
  for (size_t pair = 0; pair < plan.frames.size(); ++pair) {
    const int frame = plan.frames[pair];
    const int row = frame + sight.lag_frames;
    if (row < 0 || row + plan.stride >= num_poses) continue;
    ++tally.num_pairs;
    const auto stride = static_cast<size_t>(plan.stride);
    const Camera& before = sight.camera.at(static_cast<size_t>(frame));
    const Camera& after = sight.camera.at(static_cast<size_t>(frame) + stride);
    const Rigid3d& from = sight.poses[static_cast<size_t>(row)].world_from_tool;
    const Rigid3d& to = sight.poses[static_cast<size_t>(row) + stride].world_from_tool;
    for (const auto& [point, aside] : points) {
      const Eigen::Vector3d start = from * point + before.world_from_camera.rotation * aside;
      const Eigen::Vector3d stop = to * point + after.world_from_camera.rotation * aside;
      // A shift in time that makes the tool rest must be paid for where the picture moves.
      const bool moves = Moves(sight.poses, row, plan.stride, point, still);
      const bool moves_unshifted =
          frame + plan.stride < num_poses && Moves(sight.poses, frame, plan.stride, point, still);
      if (!moves && !moves_unshifted) continue;
      if (!moves && IsStill(before, start, motion[pair])) continue;
      ++tally.num_moving;
      const auto begin = PlaceIn(before, start);
      const auto end = PlaceIn(after, stop);
      if (!begin || !end || !IsInPicture(*begin)) continue;
      ++tally.num_seen;
      tally.agreement += Likeness(before, *end - *begin, motion[pair].At(*begin));
    }
  }
  return tally;
}

}  // namespace

int CountPairs(const MotionPlan& plan, size_t num_poses, int lag_frames) {
  return static_cast<int>(
      std::count_if(plan.frames.begin(), plan.frames.end(), [&](const int frame) {
        const int row = frame + lag_frames;
        return row >= 0 && row + plan.stride < static_cast<int>(num_poses);
      }));
}

MotionPlan PlanMotion(std::span<const ToolPose> poses, int num_frames) {
  MotionPlan plan;
  const double room = RoomOf(poses);
  if (!(room > 0)) return plan;
  const int longest = std::min(kMaxStride, num_frames - kMinPairs);
  while (plan.stride < longest && UsualStep(poses, plan.stride, room) <= kStepFraction * room) {
    ++plan.stride;
  }
  const int num_starts = num_frames - plan.stride;
  if (num_starts < kMinPairs) return plan;
  const int num_pairs = std::min(kMaxPairs, num_starts);
  for (int i = 0; i < num_pairs; ++i) {
    plan.frames.push_back(
        static_cast<int>(std::lround((num_starts - 1.0) * i / (num_pairs - 1.0))));
  }
  return plan;
}

double MotionAgreement(const ToolSight& sight, const MotionPlan& plan, const ViewMotion& motion) {
  const double hand = TallyPoints(sight, plan, motion, HandPoints()).Mean();
  const double beyond = TallyPoints(sight, plan, motion, PointsBeyondTheTip()).Mean();
  return hand - kBeyondWeight * std::max(0.0, beyond);
}

double MotionContrast(const ToolSight& sight, const MotionPlan& plan, const ViewMotion& motion) {
  return TallyPoints(sight, plan, motion, HandPoints()).Mean() -
         TallyPoints(sight, plan, motion, PointsAside()).Mean();
}

double OpeningAxisEvidence(const ToolSight& sight, const MotionPlan& plan,
                           const ViewMotion& motion) {
  return TallyPoints(sight, plan, motion, WidePoints(false)).Mean() -
         TallyPoints(sight, plan, motion, WidePoints(true)).Mean();
}

}  // namespace aim
