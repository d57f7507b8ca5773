#include "calibration/camera_formats.h"

#include <array>

#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {
namespace {

constexpr int kMaxPictureSidePx = 65536;

constexpr std::array<CameraFormat, 5> kCameraFormats = {{{"colmap", ReadColmapCameras},
                                                         {"vggt", ReadVggtCameras},
                                                         {"opencv", ReadOpenCvCameras},
                                                         {"ros", ReadRosCameras},
                                                         {"kalibr", ReadKalibrCameras}}};

}  // namespace

std::span<const CameraFormat> AllCameraFormats() { return kCameraFormats; }

Limits CameraFormats() {
  std::vector<std::string> names;
  for (const CameraFormat& format : kCameraFormats) names.emplace_back(format.name);
  return Limits(std::move(names));
}

Camera CameraOfPixelCentres(const std::vector<double>& k, const std::string& where) {
  AIM_CHECK(k.size() == 9);
  if (k[1] != 0 || k[3] != 0 || k[6] != 0 || k[7] != 0 || k[8] != 1) {
    throw InputError({.where = where,
                      .got = "a matrix with skew, or with a last row that is not 0 0 1",
                      .expected = "fx 0 cx; 0 fy cy; 0 0 1, row by row",
                      .fix = "calibrate without skew"});
  }
  Camera camera;
  camera.fx = k[0];
  camera.fy = k[4];
  camera.cx = k[2] + 0.5;
  camera.cy = k[5] + 0.5;
  return camera;
}

int PixelsAt(const JsonReader& fields, const std::string& key) {
  if (!fields.HasWhole(key, 1, kMaxPictureSidePx)) {
    fields.Fail(key, "a whole number of pixels in [1, 65536]");
  }
  return fields.Int(key);
}

}  // namespace aim
