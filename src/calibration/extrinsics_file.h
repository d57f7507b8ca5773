// Where cameras are, in a file that a person wrote: for calibrations that do not say.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "aim/geometry/rigid3.h"

namespace aim {

// world_from_camera of each view that the file names.
//
//   JSON or TOML  {"views": [{"name", "world_from_camera": 16 numbers or 4 rows, or
//                 "position": [x, y, z] and "quaternion_xyzw": [x, y, z, w]}]}; cameras.json is one
//   CSV           name,x,y,z,qx,qy,qz,qw
//
// Metres, OpenCV axes. Throws InputError, FormatError naming the file, the view and the field.
std::map<std::string, Rigid3d> ReadExtrinsics(const std::filesystem::path& path);

}  // namespace aim
