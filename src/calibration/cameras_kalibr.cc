// Kalibr's camchain: cam0, cam1, ..., each with its pose to the one before (T_cn_cnm1). The world
// is cam0. Whole numbers are centres of pixels.
#include "aim/base/error.h"
#include "calibration/camera_formats.h"

namespace aim {
namespace {

Lens ReadKalibrLens(const JsonReader& fields) {
  const std::string model = fields.Text("distortion_model");
  if (model == "none") return {};
  if (model != "radtan" && model != "equidistant") {
    fields.Fail("distortion_model", "radtan, equidistant or none",
                "calibrate again with pinhole-radtan or pinhole-equi");
  }
  const std::vector<double> coefficients = NumbersAt(fields, "distortion_coeffs", 4);
  return MakeLens(model == "radtan" ? LensModel::kRadialTangential : LensModel::kFisheye,
                  coefficients, fields.Where("distortion_coeffs"));
}

ForeignView ReadKalibrCamera(const JsonReader& fields, const std::string& name) {
  const std::string model = fields.Text("camera_model");
  if (model != "pinhole") {
    fields.Fail("camera_model", "pinhole", "calibrate again with pinhole-radtan or pinhole-equi");
  }
  const std::vector<double> k = NumbersAt(fields, "intrinsics", 4);
  const std::vector<double> size = NumbersAt(fields, "resolution", 2);
  const JsonReader sides({{"width", size[0]}, {"height", size[1]}}, fields.Where("resolution"));
  ForeignView view{.name = name, .where = fields.where(), .camera = {}};
  view.camera =
      CameraOfPixelCentres({k[0], 0, k[2], 0, k[1], k[3], 0, 0, 1}, fields.Where("intrinsics"));
  view.camera.width = PixelsAt(sides, "width");
  view.camera.height = PixelsAt(sides, "height");
  view.lens = ReadKalibrLens(fields);
  return view;
}

}  // namespace

ForeignCameras ReadKalibrCameras(const CamerasOptions& options) {
  if (options.files.size() != 1) {
    throw ConfigError({.where = "files",
                       .got = std::to_string(options.files.size()),
                       .expected = "one camchain.yaml, which holds all cameras",
                       .fix = ""});
  }
  const JsonReader chain(ReadCalibrationTree(options.files[0]), options.files[0]);
  ForeignCameras cameras{.views = {}, .world = "cam0, until --extrinsics says where it is"};
  Rigid3d world_from_last;
  for (size_t index = 0; index == 0 || chain.Has("cam" + std::to_string(index)); ++index) {
    const std::string name = "cam" + std::to_string(index);
    const JsonReader fields(chain.At(name), chain.Where(name));
    ForeignView view = ReadKalibrCamera(fields, name);
    if (index > 0) {
      const Rigid3d this_from_last =
          RigidOfNumbers(NumbersAt(fields, "T_cn_cnm1"), fields.Where("T_cn_cnm1"));
      world_from_last = world_from_last * Inverse(this_from_last);
    }
    view.world_from_camera = {world_from_last};
    cameras.views.push_back(std::move(view));
  }
  return cameras;
}

}  // namespace aim
