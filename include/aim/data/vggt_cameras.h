// Cameras as VGGT finds them: arrays of matrices, OpenCV axes, in a world of its own scale.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "aim/format/npy.h"
#include "aim/geometry/camera.h"

namespace aim {

// An array and the file it is from.
struct NamedArray {
  NpyArray array;
  std::string where;
};

// From extrinsics [V, 3, 4] (world to camera) and intrinsics [V, 3, 3]; a batch of one is passed
// over: [1, V, ...]. The cameras have the size of the pictures that VGGT saw, whose middle is
// their principal point. Throws InputError naming the file and the view: another shape or, where
// given, number of views, a number that is not finite, no rigid motion, focal lengths or principal
// point not positive.
std::vector<Camera> VggtCameras(const NamedArray& extrinsics, const NamedArray& intrinsics,
                                std::optional<size_t> num_views = {});

// The same camera for pictures of another size. Throws InputError naming `where` unless they have
// the shape of those that VGGT saw.
Camera AtPictureSize(const Camera& camera, int width, int height, const std::string& where);

}  // namespace aim
