#include "calibration/fingers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

namespace aim {
namespace {

constexpr int kFramesBefore = 3;  // the last of them is row k itself
constexpr int kFirstAfter = 2;    // fingers need a frame to move
constexpr int kFramesAfter = 3;
constexpr size_t kMaxChanges = 4;
constexpr double kLeastFacing = 0.33;  // of a view that looks across the fingers' plane

// A grid in the plane of the fingers: columns along y, rows along z, near their ends.
constexpr int kColumns = 65;
constexpr int kRows = 8;
constexpr double kHalfWidthM = 0.08;
constexpr double kDeepestM = -0.035;
constexpr double kShallowestM = -0.003;
constexpr double kOuterLowM = 0.035;  // where the fingers of an open gripper are
constexpr double kOuterHighM = 0.075;
constexpr double kInnerM = 0.025;   // where those of a closed one are
constexpr double kEdgeNoise = 1.0;  // squared grey levels between columns
constexpr double kAxisM = 0.05;

using Grid = std::vector<double>;  // [kRows, kColumns, 3]

double ColumnY(int column) { return kHalfWidthM * (2.0 * column / (kColumns - 1) - 1); }

// Bilinear, in edge coordinates; nothing outside the picture.
std::optional<std::array<double, 3>> ColorAt(const Image& image, const Eigen::Vector2d& uv) {
  const double x = uv.x() - 0.5;
  const double y = uv.y() - 0.5;
  if (!(x >= 0 && y >= 0 && x < image.width - 1 && y < image.height - 1)) return std::nullopt;
  const int column = static_cast<int>(x);
  const int row = static_cast<int>(y);
  std::array<double, 3> color{};
  for (int corner = 0; corner < 4; ++corner) {
    const int right = corner % 2;
    const int down = corner / 2;
    const double weight =
        (right ? x - column : 1 - (x - column)) * (down ? y - row : 1 - (y - row));
    const size_t pixel = static_cast<size_t>(row + down) * static_cast<size_t>(image.width) +
                         static_cast<size_t>(column + right);
    for (size_t c = 0; c < 3; ++c) color[c] += weight * image.rgb[3 * pixel + c];
  }
  return color;
}

bool AddFrame(const Image& image, const Camera& camera, const Rigid3d& world_from_tool, Grid& sum) {
  const Eigen::Vector2d scale(static_cast<double>(image.width) / camera.width,
                              static_cast<double>(image.height) / camera.height);
  for (int row = 0; row < kRows; ++row) {
    const double z = kDeepestM + (kShallowestM - kDeepestM) * row / (kRows - 1);
    for (int column = 0; column < kColumns; ++column) {
      const auto projection =
          Project(camera, world_from_tool * Eigen::Vector3d(0, ColumnY(column), z));
      if (!projection) return false;
      const auto color = ColorAt(image, projection->uv.cwiseProduct(scale));
      if (!color) return false;
      const auto cell = 3 * static_cast<size_t>(row * kColumns + column);
      for (size_t c = 0; c < 3; ++c) sum[cell + c] += (*color)[c];
    }
  }
  return true;
}

// The plane of the fingers, mean over some frames; empty if it leaves the picture.
Grid MeanPlane(const CameraTrack& camera, std::span<const ToolPose> poses,
               const FramePictures& pictures, int begin, int end) {
  Grid sum(static_cast<size_t>(3 * kRows * kColumns));
  for (int frame = begin; frame < end; ++frame) {
    const auto k = static_cast<size_t>(frame);
    if (!AddFrame(pictures.at(frame), camera.at(k), poses[k].world_from_tool, sum)) return {};
  }
  for (double& value : sum) value /= end - begin;
  return sum;
}

// Logarithm of the edges where fingers are that are apart over those of fingers together.
double Apartness(const Grid& plane) {
  double outer = 0;
  double inner = 0;
  int num_outer = 0;
  int num_inner = 0;
  for (int column = 0; column + 1 < kColumns; ++column) {
    const double y = std::abs(0.5 * (ColumnY(column) + ColumnY(column + 1)));
    const bool is_inner = y < kInnerM;
    if (!is_inner && !(y > kOuterLowM && y < kOuterHighM)) continue;
    (is_inner ? num_inner : num_outer) += kRows * 3;
    for (int row = 0; row < kRows; ++row) {
      const auto cell = 3 * static_cast<size_t>(row * kColumns + column);
      for (size_t c = 0; c < 3; ++c) {
        const double edge = plane[cell + 3 + c] - plane[cell + c];
        (is_inner ? inner : outer) += edge * edge;
      }
    }
  }
  return 0.5 * std::log((outer / num_outer + kEdgeNoise) / (inner / num_inner + kEdgeNoise));
}

// 1 where the view looks straight at the plane of the fingers, 0 along it.
double Facing(const Camera& camera, const Rigid3d& world_from_tool) {
  const auto tip = Project(camera, world_from_tool.translation);
  const auto y_end = Project(camera, world_from_tool * Eigen::Vector3d(0, kAxisM, 0));
  const auto z_end = Project(camera, world_from_tool * Eigen::Vector3d(0, 0, kAxisM));
  if (!tip || !y_end || !z_end) return 0;
  const Eigen::Vector2d y = y_end->uv - tip->uv;
  const Eigen::Vector2d z = z_end->uv - tip->uv;
  const double axis_px = std::abs(camera.fx) * kAxisM / tip->depth_m;
  return std::abs(y.x() * z.y() - y.y() * z.x()) / (axis_px * axis_px);
}

bool IsOpen(const ToolPose& pose) { return pose.gripper_open > 0.5; }

// Nothing else happens to the gripper in the frames around row k.
bool IsSingleChange(std::span<const ToolPose> poses, int k) {
  const auto at = [&](int row) { return IsOpen(poses[static_cast<size_t>(row)]); };
  for (int row = k - kFramesBefore + 1; row <= k; ++row) {
    if (at(row) != at(k)) return false;
  }
  for (int row = k + 1; row < k + kFirstAfter + kFramesAfter; ++row) {
    if (at(row) == at(k)) return false;
  }
  return true;
}

}  // namespace

std::vector<int> GripperChanges(std::span<const ToolPose> poses, int num_frames) {
  const int count = std::min(num_frames, static_cast<int>(poses.size()));
  std::vector<int> all;
  for (int k = kFramesBefore - 1; k + kFirstAfter + kFramesAfter <= count; ++k) {
    if (IsSingleChange(poses, k)) all.push_back(k);
  }
  if (all.size() <= kMaxChanges) return all;
  std::vector<int> some;
  for (size_t i = 0; i < kMaxChanges; ++i) some.push_back(all[i * all.size() / kMaxChanges]);
  return some;
}

std::set<int> FramesOfChanges(std::span<const int> changes) {
  std::set<int> frames;
  for (const int k : changes) {
    for (int frame = k - kFramesBefore + 1; frame <= k; ++frame) frames.insert(frame);
    for (int i = 0; i < kFramesAfter; ++i) frames.insert(k + kFirstAfter + i);
  }
  return frames;
}

double FingerEvidence(std::span<const CameraTrack> cameras, std::span<const ToolPose> poses,
                      std::span<const int> changes, std::span<const FramePictures> pictures) {
  double sum = 0;
  double weights = 0;
  for (const int k : changes) {
    const auto row = static_cast<size_t>(k);
    for (size_t view = 0; view < cameras.size(); ++view) {
      const double weight = Facing(cameras[view].at(row), poses[row].world_from_tool);
      if (weight < kLeastFacing) continue;
      const int after = k + kFirstAfter;
      const Grid first =
          MeanPlane(cameras[view], poses, pictures[view], k - kFramesBefore + 1, k + 1);
      const Grid second =
          MeanPlane(cameras[view], poses, pictures[view], after, after + kFramesAfter);
      if (first.empty() || second.empty()) continue;
      const double closing = Apartness(first) - Apartness(second);
      sum += weight * (IsOpen(poses[row]) ? closing : -closing);
      weights += weight;
    }
  }
  return weights > 0 ? sum / weights : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace aim
