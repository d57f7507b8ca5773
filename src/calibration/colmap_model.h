// The bytes and lines of COLMAP's sparse models.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "aim/geometry/rigid3.h"

namespace aim {

struct ColmapCamera {
  int model = 0;  // COLMAP's number of it
  int width = 0;
  int height = 0;
  std::vector<double> params;
  std::string where;  // the file and the camera, for sentences
};

struct ColmapImage {
  std::string name;
  uint32_t camera = 0;
  Rigid3d camera_from_world;
};

struct ColmapModel {
  std::map<uint32_t, ColmapCamera> cameras;  // by their numbers
  std::vector<ColmapImage> images;  // by name; at least one, each of a camera that is there
};

// A camera model that is known, and how many numbers it has.
struct ColmapModelName {
  int number = 0;
  std::string name;
  size_t num_params = 0;
};
const std::vector<ColmapModelName>& ColmapModelNames();

// From the model's folder, or its file of cameras and its file of images in any order. Text where
// there are both. Throws InputError, FormatError naming the file and the line or camera.
ColmapModel ReadColmapModel(const std::vector<std::string>& files);

}  // namespace aim
