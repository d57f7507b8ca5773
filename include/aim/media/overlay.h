// Drawing on pictures for people to look at: poses, action images, words, filmstrips.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"
#include "aim/media/image.h"

namespace aim {

using Rgb = std::array<uint8_t, 3>;

// Marks the three anchors of an action image at their projections: the tip in red (a ring if the
// gripper is open, a disc if it is closed), tip + anchor_m * tool x at the end of a green line,
// tip - anchor_m * tool z at the end of a blue one. Points behind the camera are left out. The
// marks grow with the picture. Anti-aliased. The camera must have the image's size.
void DrawToolPose(Image& image, const Camera& camera, const ToolPose& pose, double anchor_m = 0.1);

// The path of the tip, fading from `color` at its end to a third of it at its start.
void DrawTipPath(Image& image, const Camera& camera, std::span<const ToolPose> poses,
                 const Rgb& color);

// Lays an action image [3, H, W] in [0, 1] over a picture of the same size: where a channel is
// bright its colour shows, with `strength` (0 to 1) at the peak. Values of B at or below the
// `pedestal` (the background that tells the gripper) are ignored.
Image BlendActionImage(const Image& image, std::span<const float> action, double strength = 0.8,
                       double pedestal = 0.25);

// The action image itself as a picture: [3, H, W] in [0, 1] to 8 bits, rounded to nearest.
Image ActionImageToImage(std::span<const float> action, int width, int height);

// One line of text, its top left corner at (x, y) pixels, on a dark ground so that it can be read
// anywhere. `height_px` is the height of a capital. Cut off at the border of the picture.
void DrawLabel(Image& image, const std::string& text, int x, int y, int height_px = 8,
               const Rgb& color = {255, 255, 255});

// Pictures side by side, `gap_px` white pixels between them. All must have one height.
Image Filmstrip(std::span<const Image> images, int gap_px = 2);

// Pictures below each other, left-aligned on white.
Image StackImages(std::span<const Image> images, int gap_px = 2);

}  // namespace aim
