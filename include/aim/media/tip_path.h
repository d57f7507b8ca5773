// Where the tool goes, drawn on a picture.
#pragma once

#include <span>

#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"
#include "aim/media/image.h"

namespace aim {

// The path of the tip, fading from `color` at its end to a third of it at its start.
// Anti-aliased; wider in larger pictures. The camera must have the image's size.
void DrawTipPath(Image& image, const Camera& camera, std::span<const ToolPose> poses,
                 const Rgb& color);

}  // namespace aim
