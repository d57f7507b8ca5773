// What programs that calibrate with OpenCV write: a camera a file, or a stereo pair.
//
//   camera_matrix, distortion_coefficients, image_width, image_height; other spellings below
//   rvec and tvec, R and T, or a 4x4 matrix: the world in the camera's frame, as OpenCV has it
//   M1 D1 M2 D2 (also in a file of their own) with R, T: the second camera from the first
//
// Whole numbers are centres of pixels (docs/reference/formats.md 9.12).
#include <optional>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "calibration/camera_formats.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kMatrixKeys = {
    "camera_matrix", "cameraMatrix", "Camera_Matrix", "K", "intrinsic_matrix", "mtx"};
const std::vector<std::string> kLensKeys = {"distortion_coefficients",
                                            "Distortion_Coefficients",
                                            "distCoeffs",
                                            "dist_coeffs",
                                            "dist_coeff",
                                            "distortion_coeffs",
                                            "dist",
                                            "D"};
const std::vector<std::string> kWidthKeys = {"image_width", "imageWidth", "image_Width", "width"};
const std::vector<std::string> kHeightKeys = {"image_height", "imageHeight", "image_Height",
                                              "height"};
const std::vector<std::string> kSizeKeys = {"image_size", "imageSize", "size"};
const std::vector<std::string> kToWorldKeys = {"world_from_camera", "camera_to_world"};
const std::vector<std::string> kFromWorldKeys = {"camera_from_world", "world_to_camera",
                                                 "extrinsics",        "extrinsic",
                                                 "extrinsic_matrix",  "extrinsicMatrix"};

std::vector<std::string> Numbered(const std::vector<std::string>& keys, int number) {
  std::vector<std::string> numbered;
  for (const std::string& key : keys) {
    numbered.push_back(key + std::to_string(number));
    numbered.push_back(key + "_" + std::to_string(number));
  }
  return numbered;
}

std::string RequireKey(const JsonReader& fields, const std::vector<std::string>& keys,
                       const std::string& fix) {
  const std::string key = FirstKey(fields, keys);
  if (!key.empty()) return key;
  throw InputError({.where = fields.where(),
                    .got = "without " + keys[0],
                    .expected = "one of " + Join(keys),
                    .fix = fix});
}

void ReadSize(const JsonReader& fields, Camera& camera) {
  const std::string width = FirstKey(fields, kWidthKeys);
  const std::string height = FirstKey(fields, kHeightKeys);
  const std::string size = FirstKey(fields, kSizeKeys);
  if (!width.empty() && !height.empty()) {
    camera.width = PixelsAt(fields, width);
    camera.height = PixelsAt(fields, height);
  } else if (!size.empty()) {
    const std::vector<double> sides = NumbersAt(fields, size, 2);
    const JsonReader both({{"width", sides[0]}, {"height", sides[1]}}, fields.Where(size));
    camera.width = PixelsAt(both, "width");
    camera.height = PixelsAt(both, "height");
  }
}

bool IsFisheye(const JsonReader& fields, const CamerasOptions& options) {
  if (options.fisheye) return true;
  for (const char* key : {"distortion_model", "camera_model"}) {
    const nlohmann::json model = fields.object().value(key, nlohmann::json());
    if (model == "fisheye" || model == "equidistant") return true;
  }
  const nlohmann::json flag = fields.object().value("fisheye_model", nlohmann::json());
  return flag == true || flag == 1;
}

ForeignView ReadIntrinsics(const JsonReader& fields, const std::vector<std::string>& matrix_keys,
                           const std::vector<std::string>& lens_keys,
                           const CamerasOptions& options) {
  const std::string matrix = RequireKey(fields, matrix_keys, "choose the calibration's own file");
  const std::string lens =
      RequireKey(fields, lens_keys, "write zeros if the pictures are undistorted");
  ForeignView view{.name = {}, .where = fields.where(), .camera = {}};
  view.camera = CameraOfPixelCentres(NumbersAt(fields, matrix, 9), fields.Where(matrix));
  ReadSize(fields, view.camera);
  view.lens =
      MakeLens(IsFisheye(fields, options) ? LensModel::kFisheye : LensModel::kRadialTangential,
               NumbersAt(fields, lens), fields.Where(lens));
  return view;
}

// A turn and a shift, the turn as a matrix or a vector.
Rigid3d ReadTurnAndShift(const JsonReader& fields, const std::string& turn,
                         const std::string& shift) {
  const std::vector<double> t = NumbersAt(fields, shift, 3);
  const std::vector<double> r = NumbersAt(fields, turn);
  const Eigen::Vector3d translation(t[0], t[1], t[2]);
  if (r.size() == 3) return {ExpRotation({r[0], r[1], r[2]}), translation};
  if (r.size() != 9) fields.Fail(turn, "the 3 numbers of a rotation vector, or 9 of a matrix");
  return RigidOfNumbers({r[0], r[1], r[2], t[0], r[3], r[4], r[5], t[1], r[6], r[7], r[8], t[2]},
                        fields.Where(turn));
}

// Where the camera is, if its file says so.
std::optional<Rigid3d> ReadPlace(const JsonReader& fields) {
  if (const std::string key = FirstKey(fields, kToWorldKeys); !key.empty()) {
    return RigidOfNumbers(NumbersAt(fields, key), fields.Where(key));
  }
  if (const std::string key = FirstKey(fields, kFromWorldKeys); !key.empty()) {
    return Inverse(RigidOfNumbers(NumbersAt(fields, key), fields.Where(key)));
  }
  const std::string turn = FirstKey(fields, {"rvec", "R", "rotation_matrix", "rotation_vector"});
  const std::string shift = FirstKey(fields, {"tvec", "T", "t", "translation_vector"});
  if (turn.empty() || shift.empty()) return std::nullopt;
  return Inverse(ReadTurnAndShift(fields, turn, shift));
}

bool IsStereo(const JsonReader& fields) {
  std::vector<std::string> keys = Numbered(kMatrixKeys, 2);
  keys.emplace_back("M2");
  return !FirstKey(fields, keys).empty();
}

// Both cameras of stereoCalibrate; `pose` is the file with R and T.
void AppendStereo(const JsonReader& fields, const JsonReader& pose, const CamerasOptions& options,
                  ForeignCameras& cameras) {
  for (const int number : {1, 2}) {
    std::vector<std::string> matrix_keys = Numbered(kMatrixKeys, number);
    matrix_keys.push_back("M" + std::to_string(number));
    ForeignView view = ReadIntrinsics(fields, matrix_keys, Numbered(kLensKeys, number), options);
    view.name = "camera" + std::to_string(number);
    view.where += " camera " + std::to_string(number);
    view.world_from_camera = {number == 1 ? Rigid3d() : Inverse(ReadTurnAndShift(pose, "R", "T"))};
    cameras.views.push_back(std::move(view));
  }
  cameras.world = "camera1, until --extrinsics says where it is";
}

}  // namespace

ForeignCameras ReadOpenCvCameras(const CamerasOptions& options) {
  std::vector<JsonReader> files;
  for (const std::string& file : options.files) files.emplace_back(ReadCalibrationTree(file), file);
  ForeignCameras cameras{.views = {}, .world = "the world of the files' poses"};
  // The cameras and R, T of a stereo pair may lie in two files, in either order.
  if (files.size() <= 2 && (IsStereo(files[0]) || IsStereo(files.back()))) {
    const bool is_first = IsStereo(files[0]);
    AppendStereo(is_first ? files[0] : files.back(), is_first ? files.back() : files[0], options,
                 cameras);
    return cameras;
  }
  for (const JsonReader& fields : files) {
    ForeignView view = ReadIntrinsics(fields, kMatrixKeys, kLensKeys, options);
    view.name = fields.Text("camera_name", fs::path(fields.where()).stem().string());
    if (const std::optional<Rigid3d> place = ReadPlace(fields)) view.world_from_camera = {*place};
    cameras.views.push_back(std::move(view));
  }
  return cameras;
}

}  // namespace aim
