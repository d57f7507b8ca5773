// Poses against their truth, in the world and in the pictures.
#pragma once

#include <array>
#include <span>

#include "aim/codec/plan.h"
#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"
#include "aim/metrics/score.h"

namespace aim {

// The marks of an action image, in the order of AnchorPoints (codec/action_image.h).
inline constexpr std::array<const char*, 3> kMarkNames = {"tip", "tool_x", "tool_z"};
// Distances within which a mark counts as found, pixels (TAP-Vid's).
inline constexpr std::array<int, 5> kJaccardPx = {1, 2, 4, 8, 16};

// One pose a frame in both; frame 0 (given) does not count.
//   position_mm, rotation_deg   mean distance of the tips, mean angle
//   gripper_accuracy            share of frames with both grippers on one side of half open
//   gripper_f1                  of "closed", the rarer state; no value if neither ever closes
//   not_decodable               share of frames without a pose; they count nowhere else, but in
//                               Jaccard's index as a mark that was not seen
//   error_2d_px/<view>/<mark>   mean pixel distance of the projected mark, where the true one lies
//                               in the picture
//   trajectory_px               the same over all marks and views
//   jaccard_<px>, jaccard       TP / (TP + FP + FN) of marks in the pictures, and its mean over all
//                               distances: found where both lie in the picture that near; a mark
//                               that is there but too far off is both FP and FN
//   behind_camera               share of true marks in the pictures whose counterpart lies behind
//                               the camera, where it has no pixel; left out if there is none
// A view whose camera is unknown is left out of what is in pixels. Names of views must differ.
// docs/reference/method.md 7.
Scores ScorePoses(std::span<const DecodedPose> judged, std::span<const ToolPose> truth,
                  std::span<const CameraTrack> cameras);

}  // namespace aim
