// Whether the fingers part and meet as gripper_open says.
#pragma once

#include <map>
#include <set>
#include <span>
#include <vector>

#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"
#include "aim/media/image.h"

namespace aim {

// Pictures of one view by their frame, at any one size.
using FramePictures = std::map<int, Image>;

// Rows k after which the gripper opens or closes, with pictures enough before and after; at most
// 4 of them, evenly over the clip.
std::vector<int> GripperChanges(std::span<const ToolPose> poses, int num_frames);

// The frames that FingerEvidence looks at.
std::set<int> FramesOfChanges(std::span<const int> changes);

// Edges of the fingers lie apart while the gripper is open and close together while it is closed.
// The logarithm by which they do so more in the frames that are said to be open: positive if
// gripper_open is right, negative if it is inverted; NaN where no view shows the fingers from the
// side, or they never move. Views count as they look across the fingers' plane.
double FingerEvidence(std::span<const CameraTrack> cameras, std::span<const ToolPose> poses,
                      std::span<const int> changes, std::span<const FramePictures> pictures);

}  // namespace aim
