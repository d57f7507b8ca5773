// Cameras out of the matrices that data sets hold.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "aim/geometry/camera.h"
#include "aim/geometry/euler_pose.h"

namespace aim {

// Whether cameras are checked for their convention, or only read: signs of focal lengths and the
// place of the principal point stay as they are (EpisodeSource::OpenSuspect).
enum class CameraTrust { kChecked, kSuspect };

// The camera of a `width` x `height` picture. Throws InputError naming `where` and the matrix:
// skew, no rigid motion, focal lengths of another convention, a principal point outside.
Camera CheckedRlbenchCamera(const RlbenchCamera& camera, int width, int height,
                            const std::string& where, CameraTrust trust = CameraTrust::kChecked);

// The same for OpenCV's convention: positive focal lengths, x right, y down.
Camera CheckedOpenCvCamera(const Eigen::Matrix3d& intrinsics, const Rigid3d& world_from_camera,
                           int width, int height, const std::string& where,
                           CameraTrust trust = CameraTrust::kChecked);

// object[key] as `rows` lists of `cols` finite numbers. Throws InputError naming `where` and the
// key.
Eigen::MatrixXd ReadJsonMatrix(const nlohmann::json& object, const std::string& key, int rows,
                               int cols, const std::string& where);

// Of one place and lens, bit for bit.
bool IsSameCamera(const Camera& a, const Camera& b);

// Throws InputError naming `where` for a camera of pictures of another size than this.
void RequireCameraSize(const Camera& camera, int width, int height, const std::string& where);

// A track of equal cameras becomes a fixed one.
void MergeEqualFrames(CameraTrack& track);

}  // namespace aim
