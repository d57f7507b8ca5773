// actions.npy of the ActionImages layout.
#include <algorithm>
#include <cmath>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/format/npy.h"
#include "data/action_images_files.h"

namespace aim {

std::vector<double> ActionRows(const std::vector<ToolPose>& poses) {
  std::vector<double> rows;
  rows.reserve(poses.size() * kActionColumns);
  for (const ToolPose& pose : poses) {
    const auto numbers = ToNumbers(pose);
    rows.insert(rows.end(), numbers.begin(), numbers.end());
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
    poses.push_back(
        ToolPoseFromNumbers(std::span(values).subspan(row * kActionColumns, kActionColumns),
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
