// ROS's camera_info: the files of camera_calibration, and the message as `ros2 topic echo` or
// `rostopic echo` prints it. K and D are those of the raw pictures; the rectification and the
// projection of rectified pictures are not used. Whole numbers are centres of pixels.
#include <algorithm>

#include "aim/base/error.h"
#include "calibration/camera_formats.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

std::string RequireRosKey(const JsonReader& fields, const std::vector<std::string>& keys) {
  const std::string key = FirstKey(fields, keys);
  if (key.empty()) fields.Fail(keys[0], "a value: this is no camera_info");
  return key;
}

Lens ReadRosLens(const JsonReader& fields) {
  const std::string key = RequireRosKey(fields, {"distortion_coefficients", "d", "D"});
  const std::vector<double> coefficients = NumbersAt(fields, key);
  const std::string model = fields.Text("distortion_model", "");
  const bool is_fisheye = model == "equidistant" || model == "fisheye";
  const bool is_known =
      is_fisheye || model == "plumb_bob" || model == "rational_polynomial" ||
      ((model.empty() || model == "none") &&
       std::all_of(coefficients.begin(), coefficients.end(), [](double k) { return k == 0; }));
  if (!is_known) {
    fields.Fail("distortion_model", "plumb_bob, rational_polynomial or equidistant",
                "calibrate again with one of these");
  }
  return MakeLens(is_fisheye ? LensModel::kFisheye : LensModel::kRadialTangential, coefficients,
                  fields.Where(key));
}

// K is for whole pictures of the sensor; a cut-out or binned one has another.
void RefuseCutPictures(const JsonReader& fields) {
  for (const char* key : {"binning_x", "binning_y"}) {
    if (fields.Number(key, 0) > 1) fields.Fail(key, "0 or 1: pictures without binning");
  }
  if (!fields.Has("roi")) return;
  const JsonReader roi(fields.At("roi"), fields.Where("roi"));
  for (const char* key : {"x_offset", "y_offset"}) {
    if (roi.Number(key, 0) != 0) roi.Fail(key, "0: whole pictures");
  }
}

ForeignView ReadCameraInfo(const std::string& file) {
  const JsonReader fields(ReadCalibrationTree(file), file);
  ForeignView view{.name = fields.Text("camera_name", ""), .where = file, .camera = {}};
  const std::string key = RequireRosKey(fields, {"camera_matrix", "k", "K"});
  const std::vector<double> k = NumbersAt(fields, key, 9);
  if (k[0] == 0) fields.Fail(key, "a calibrated camera", "run camera_calibration first");
  view.camera = CameraOfPixelCentres(k, fields.Where(key));
  view.camera.width = PixelsAt(fields, RequireRosKey(fields, {"image_width", "width"}));
  view.camera.height = PixelsAt(fields, RequireRosKey(fields, {"image_height", "height"}));
  view.lens = ReadRosLens(fields);
  RefuseCutPictures(fields);
  return view;
}

}  // namespace

ForeignCameras ReadRosCameras(const CamerasOptions& options) {
  ForeignCameras cameras{.views = {}, .world = "the world of --extrinsics"};
  for (const std::string& file : options.files) cameras.views.push_back(ReadCameraInfo(file));
  // camera_calibration calls every camera alike unless it is told a name.
  const auto has_own_name = [&](const ForeignView& view) {
    return !view.name.empty() &&
           std::count_if(cameras.views.begin(), cameras.views.end(),
                         [&](const ForeignView& other) { return other.name == view.name; }) == 1;
  };
  if (!std::all_of(cameras.views.begin(), cameras.views.end(), has_own_name)) {
    for (ForeignView& view : cameras.views) view.name = fs::path(view.where).stem().string();
  }
  return cameras;
}

}  // namespace aim
