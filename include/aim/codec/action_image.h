// Robot actions as pictures: three Gaussians and a background.
// docs/reference/method.md 1.2 and 1.3.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"

namespace aim {

struct ActionImageSpec {
  double anchor_m = 0.1;         // distance of the second and third anchor from the tip
  double sigma_fraction = 0.05;  // Gaussian width as a fraction of min(height, width)
  double pedestal = 0.25;        // background of B when the gripper is open
};

// Standard deviation of the Gaussians in a picture of this size, pixels.
double SigmaPx(const ActionImageSpec& spec, int width, int height);

// Tip, tip + anchor * tool x, tip - anchor * tool z, in the world.
std::array<Eigen::Vector3d, 3> AnchorPoints(const ToolPose& pose, const ActionImageSpec& spec = {});

// Draws one frame into `out` [3, H, W] in [0, 1], H and W the camera's. R, G and B hold one
// Gaussian each, centred at the projected anchor **read as an array index** (the published grid has
// no +0.5; the decoder inverts exactly that). B's pixels at or below the pedestal become
// pedestal * gripper_open. An anchor behind the camera is not drawn.
void DrawActionImageInto(const ToolPose& pose, const Camera& camera, const ActionImageSpec& spec,
                         std::span<float> out);

// All frames of one view: `out` [3, T, H, W] in [0, 1], T = poses.size().
void DrawActionVideoInto(std::span<const ToolPose> poses, const CameraTrack& camera,
                         const ActionImageSpec& spec, std::span<float> out);

}  // namespace aim
