// Files of the ActionImages layout (aim/data/action_images.h).
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "aim/codec/clip.h"
#include "data/camera_matrices.h"

namespace aim {

// Actions a frame so that action k * stride belongs to frame k: the s >= 1 nearest to
// (num_actions - 1) / (num_frames - 1) with |ceil(num_actions / s) - num_frames| <= 1, or 0 if
// there is none.
int ActionStride(size_t num_actions, size_t num_frames);

// The camera's part of camera_params.json: one key for each of the track's cameras.
void WriteCameraParams(const std::filesystem::path& path, const CameraTrack& camera);

// Cameras of the first `num_frames` frames of a video of the given size (one if all are the same).
CameraTrack ReadCameraParams(const std::filesystem::path& path, int num_frames, int width,
                             int height, CameraTrust trust = CameraTrust::kChecked);

// A pose as a row x y z qx qy qz qw openness (quaternion with qw >= 0), and back; reading checks
// every number and throws InputError naming `where`.
inline constexpr size_t kActionColumns = kPoseNumbers;
std::vector<double> ActionRows(const std::vector<ToolPose>& poses);
std::vector<ToolPose> ReadActions(const std::filesystem::path& path);

}  // namespace aim
