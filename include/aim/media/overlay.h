// Drawing on pictures for people to look at: poses and words.
#pragma once

#include <string>

#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"
#include "aim/media/image.h"

namespace aim {

// Marks the three anchors of an action image at their projections: the tip in red (a ring if the
// gripper is open, a disc if it is closed), tip + anchor_m * tool x at the end of a green line,
// tip - anchor_m * tool z at the end of a blue one. Points behind the camera are left out. The
// marks grow with the picture. Anti-aliased. The camera must have the image's size.
void DrawToolPose(Image& image, const Camera& camera, const ToolPose& pose, double anchor_m = 0.1);

// One line of text, its top left corner at (x, y) pixels, on a dark ground so that it can be read
// anywhere. `height_px` is the height of a capital. Cut off at the border of the picture.
void DrawLabel(Image& image, const std::string& text, int x, int y, int height_px = 8,
               const Rgb& color = {255, 255, 255});

}  // namespace aim
