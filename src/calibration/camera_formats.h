// Files of calibration programs: one reader a file, camera_formats.cc the table of them.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "aim/calibration/cameras.h"
#include "aim/geometry/lens.h"
#include "calibration/calibration_tree.h"

namespace aim {

// A view as a file has it.
struct ForeignView {
  std::string name;
  std::string where;  // the file and the view in it, for sentences
  Camera camera;      // edge coordinates; size 0 if the file does not say; no pose
  Lens lens = {};
  std::vector<Rigid3d> world_from_camera = {};  // one, or one a frame; empty: not in the file
};

struct ForeignCameras {
  std::vector<ForeignView> views;
  std::string world;      // what the poses are relative to, in words
  bool is_metric = true;  // in metres without being told
};

struct CameraFormat {
  const char* name;  // as --from takes it
  ForeignCameras (*read)(const CamerasOptions& options);
};

std::span<const CameraFormat> AllCameraFormats();

ForeignCameras ReadColmapCameras(const CamerasOptions& options);
ForeignCameras ReadVggtCameras(const CamerasOptions& options);
ForeignCameras ReadOpenCvCameras(const CamerasOptions& options);
ForeignCameras ReadRosCameras(const CamerasOptions& options);
ForeignCameras ReadKalibrCameras(const CamerasOptions& options);

// A camera of nine numbers fx 0 cx; 0 fy cy; 0 0 1 whose pixels have their centres at whole
// numbers, as OpenCV, ROS and Kalibr count; the half pixel to edge coordinates is added. Throws
// InputError naming `where` for skew.
Camera CameraOfPixelCentres(const std::vector<double>& k, const std::string& where);

// The whole number of pixels at `key`. Throws InputError.
int PixelsAt(const JsonReader& fields, const std::string& key);

}  // namespace aim
