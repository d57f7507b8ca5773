// Whether cameras can be those of the poses: they must see the tool, and agree on where it is.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "aim/codec/plan.h"
#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"

namespace aim {

// What a set of cameras shows of the tool.
struct RigSight {
  std::vector<double> seen;  // per view: share of the frames with an anchor of the tool in it
  std::string hypothesis;  // what would show the tool in the blind views, "" if nothing known does
};

// `poses` one a frame. Hypotheses: the transform inverted, axes of OpenGL or RLBench, cameras or
// poses in millimetres, intrinsics of another resolution, and the first two together.
RigSight LookAtTool(std::span<const CameraTrack> cameras, std::span<const ToolPose> poses);

// Throws InputError naming `where`, and the hypothesis that would fit, if no view shows the tool in
// any frame, or none larger than a thousandth of its pictures. Returns a sentence for each view
// that shows it in none, and for each whose principal point lies where that of another resolution
// would.
std::vector<std::string> CheckRig(std::span<const CameraTrack> cameras,
                                  std::span<const ToolPose> poses, const std::string& where);

// CheckRig, its sentences logged as warnings.
void WarnOfRig(std::span<const CameraTrack> cameras, std::span<const ToolPose> poses,
               const std::string& where);

// Whether two views of a decoded frame show blobs that no pose explains.
bool ViewsContradict(const DecodedPose& frame, double min_confidence);

// In words, the readings of `cameras` with the highest score above 0.5, "" if there is none: the
// hypotheses of LookAtTool and, for several views, two of them swapped.
std::string ExplainRig(std::span<const CameraTrack> cameras,
                       const std::function<double(std::span<const CameraTrack>)>& score);

}  // namespace aim
