// Resizing a picture together with the camera that took it.
#pragma once

#include "aim/geometry/camera.h"
#include "aim/media/image.h"

namespace aim {

// Antialiased where it shrinks (mean over the covered area), linear where it grows.
Image ResizeImage(const Image& image, int width, int height);

// Throws InputError unless the camera has the picture's size.
void RequirePictureSize(const Camera& camera, const Image& image);

struct CameraImage {
  Image image;
  Camera camera;
};

// Cuts the largest centred window with the aspect of the new size, in whole pixels, and resizes it;
// the intrinsics follow the window that was really cut (docs/reference/formats.md 2.4). Throws
// InputError unless the camera has the image's size.
CameraImage CropAndResizeImage(const Image& image, const Camera& camera, int width, int height);

// The same of a picture whose camera is not known.
Image CropAndResizeImage(const Image& image, int width, int height);

// Its camera alone.
Camera FitCamera(const Camera& camera, int width, int height);

}  // namespace aim
