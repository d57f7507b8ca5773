// Whether a simulator's cameras are where it says: its gripper must be where they show it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "aim/geometry/camera.h"
#include "env/child_messages.h"

namespace aim {

// Projects each mark and looks for its part of the gripper in the picture. `marks` are those of
// each view. Throws ConfigError naming `where`, the view, and the convention that would fit, if a
// part is shown elsewhere. Returns the number of marks that could be judged.
int CheckCalibration(std::span<const CameraTrack> views,
                     std::span<const std::vector<GripperMark>> marks, const std::string& where);

}  // namespace aim
