#include "calibration/camera_formats.h"

#include <array>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/geometry/checked_camera.h"

namespace aim {
namespace {

constexpr std::array<CameraFormat, 5> kCameraFormats = {{{"colmap", ReadColmapCameras},
                                                         {"vggt", ReadVggtCameras},
                                                         {"opencv", ReadOpenCvCameras},
                                                         {"ros", ReadRosCameras},
                                                         {"kalibr", ReadKalibrCameras}}};

}  // namespace

std::span<const CameraFormat> AllCameraFormats() { return kCameraFormats; }

Limits CameraFormats() {
  std::vector<std::string> names = {""};  // not given: Validate says what is missing
  for (const CameraFormat& format : kCameraFormats) names.emplace_back(format.name);
  return Limits(std::move(names));
}

Camera CameraOfPixelCentres(const std::vector<double>& k, const std::string& where) {
  AIM_CHECK(k.size() == 9);
  RequirePinholeMatrix(Eigen::Matrix3d{{k[0], k[1], k[2]}, {k[3], k[4], k[5]}, {k[6], k[7], k[8]}},
                       where);
  Camera camera;
  camera.fx = k[0];
  camera.fy = k[4];
  camera.cx = k[2] + 0.5;
  camera.cy = k[5] + 0.5;
  return camera;
}

int PixelsAt(const JsonReader& fields, const std::string& key) {
  if (!fields.HasWhole(key, 1, kMaxPictureSidePx)) fields.Fail(key, kPictureSideText);
  return fields.Int(key);
}

}  // namespace aim
