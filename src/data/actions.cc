// actions.npy of the ActionImages layout.
#include <algorithm>
#include <cmath>

#include "aim/base/error.h"
#include "aim/format/npy.h"
#include "data/action_images_files.h"

namespace aim {
namespace {

ToolPose PoseFromRow(const double* row, const std::string& where) {
  for (size_t col = 0; col < kActionColumns; ++col) {
    if (!std::isfinite(row[col])) {
      throw InputError({.where = where + " column " + std::to_string(col),
                        .got = std::isnan(row[col]) ? "NaN" : "infinite",
                        .expected = "a finite number",
                        .fix = "remove the episode or repair its recording"});
    }
  }
  const Eigen::Quaterniond rotation(row[6], row[3], row[4], row[5]);
  if (!(std::abs(rotation.norm() - 1.0) <= 1e-3)) {
    throw InputError({.where = where,
                      .got = "a quaternion of norm " + std::to_string(rotation.norm()),
                      .expected = "a unit quaternion x y z w (norm 1 within 1e-3)",
                      .fix = "check the order of the columns"});
  }
  if (!(row[7] >= -1e-3 && row[7] <= 1.0 + 1e-3)) {
    throw InputError({.where = where,
                      .got = "a gripper openness of " + std::to_string(row[7]),
                      .expected = "0 (closed) to 1 (open)",
                      .fix = "check the order of the columns"});
  }
  return {.world_from_tool = {.rotation = CanonicalSign(rotation.normalized()),
                              .translation = {row[0], row[1], row[2]}},
          .gripper_open = std::clamp(row[7], 0.0, 1.0)};
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

}  // namespace

std::vector<double> ActionRows(const std::vector<ToolPose>& poses) {
  std::vector<double> rows;
  rows.reserve(poses.size() * kActionColumns);
  for (const ToolPose& pose : poses) {
    const Eigen::Vector3d& p = pose.world_from_tool.translation;
    const Eigen::Quaterniond q = CanonicalSign(pose.world_from_tool.rotation);
    rows.insert(rows.end(), {p.x(), p.y(), p.z(), q.x(), q.y(), q.z(), q.w(), pose.gripper_open});
  }
  return rows;
}

std::vector<ToolPose> ReadActions(const std::filesystem::path& path) {
  const NpyArray array = ReadNpy(path);
  if (array.type == NpyType::kUint8 || array.shape.size() != 2 || array.shape[0] < 1 ||
      array.shape[1] != static_cast<int64_t>(kActionColumns)) {
    throw InputError(
        {.where = path.string(),
         .got = (array.type == NpyType::kUint8 ? "of bytes with shape " : "of shape ") +
                ShapeText(array.shape),
         .expected = "floats [T, 8]: x y z qx qy qz qw openness",
         .fix = ""});
  }
  const std::vector<double> values = ToDoubles(array);
  std::vector<ToolPose> poses;
  for (size_t row = 0; row * kActionColumns < values.size(); ++row) {
    poses.push_back(PoseFromRow(values.data() + row * kActionColumns,
                                path.string() + " row " + std::to_string(row)));
  }
  return poses;
}

int ActionStride(size_t num_actions, size_t num_frames) {
  if (num_actions == 0 || num_frames == 0) return 0;
  const double ratio =
      num_frames > 1 ? static_cast<double>(num_actions - 1) / static_cast<double>(num_frames - 1)
                     : static_cast<double>(num_actions);
  const size_t stride = std::max<size_t>(1, static_cast<size_t>(std::lround(ratio)));
  const size_t rows = (num_actions + stride - 1) / stride;
  const size_t difference = rows > num_frames ? rows - num_frames : num_frames - rows;
  return difference <= 1 ? static_cast<int>(stride) : 0;
}

}  // namespace aim
