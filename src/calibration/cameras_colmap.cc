// COLMAP's sparse models: cameras.txt and images.txt, or cameras.bin and images.bin. A picture is a
// view; a folder of pictures that one camera took may be asked for as a view that moves.
// Coordinates are those of edges already: COLMAP puts the centre of the first pixel at (0.5, 0.5).
#include <algorithm>
#include <map>

#include "aim/base/error.h"
#include "aim/base/name_list.h"
#include "aim/base/text.h"
#include "calibration/camera_formats.h"
#include "calibration/colmap_model.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

struct LensRow {
  const char* name;
  int num_focals;  // 1: fx = fy
  LensModel model;
  std::vector<size_t> places;  // of what follows cx, cy among OpenCV's coefficients
};

constexpr LensModel kRadial = LensModel::kRadialTangential;
constexpr LensModel kColmapFisheye = LensModel::kFisheye;

// By COLMAP's number of the model. FOV (7) and THIN_PRISM_FISHEYE (10) are no lenses of OpenCV's.
const std::map<int, LensRow>& LensRows() {
  static const std::map<int, LensRow> kRows = {
      {0, {"SIMPLE_PINHOLE", 1, kRadial, {}}},
      {1, {"PINHOLE", 2, kRadial, {}}},
      {2, {"SIMPLE_RADIAL", 1, kRadial, {0}}},
      {3, {"RADIAL", 1, kRadial, {0, 1}}},
      {4, {"OPENCV", 2, kRadial, {0, 1, 2, 3}}},
      {5, {"OPENCV_FISHEYE", 2, kColmapFisheye, {0, 1, 2, 3}}},
      {6, {"FULL_OPENCV", 2, kRadial, {0, 1, 2, 3, 4, 5, 6, 7}}},
      {8, {"SIMPLE_RADIAL_FISHEYE", 1, kColmapFisheye, {0}}},
      {9, {"RADIAL_FISHEYE", 1, kColmapFisheye, {0, 1}}}};
  return kRows;
}

ForeignView ViewOfCamera(const ColmapCamera& colmap) {
  const LensRow& row = LensRows().at(colmap.model);
  ForeignView view{.name = {}, .where = colmap.where, .camera = {}};
  const auto& p = colmap.params;
  const auto focals = static_cast<size_t>(row.num_focals);
  view.camera.width = colmap.width;
  view.camera.height = colmap.height;
  view.camera.fx = p[0];
  view.camera.fy = p[focals - 1];
  view.camera.cx = p[focals];
  view.camera.cy = p[focals + 1];
  std::vector<double> coefficients(row.model == kColmapFisheye ? 4 : 8);
  for (size_t i = 0; i < row.places.size(); ++i) {
    coefficients[row.places[i]] = p[focals + 2 + i];
  }
  view.lens = MakeLens(row.model, coefficients, colmap.where);
  return view;
}

ForeignView ViewOfImages(const std::string& name, const std::vector<const ColmapImage*>& images,
                         const ColmapModel& model) {
  ForeignView view = ViewOfCamera(model.cameras.at(images[0]->camera));
  view.name = name;
  for (const ColmapImage* image : images) {
    if (image->camera != images[0]->camera) {
      throw InputError({.where = "--view " + name,
                        .got = "pictures of cameras " + std::to_string(images[0]->camera) +
                               " and " + std::to_string(image->camera),
                        .expected = "those of one camera",
                        .fix = "run COLMAP's feature_extractor with single_camera_per_folder"});
    }
    view.world_from_camera.push_back(Inverse(image->camera_from_world));
  }
  return view;
}

// 9.png before 10.png, and 000010.png after 000009.png.
bool IsEarlierPicture(const ColmapImage* a, const ColmapImage* b) {
  return a->name.size() != b->name.size() ? a->name.size() < b->name.size() : a->name < b->name;
}

// The picture of that name, or those in the folder of that name.
std::vector<const ColmapImage*> ImagesOf(const std::string& name, const ColmapModel& model) {
  std::vector<const ColmapImage*> images;
  for (const ColmapImage& image : model.images) {
    if (image.name == name) return {&image};
    if (image.name.starts_with(name + "/")) images.push_back(&image);
  }
  std::sort(images.begin(), images.end(), IsEarlierPicture);
  if (!images.empty()) return images;
  std::vector<std::string> known;
  for (const ColmapImage& image : model.images) known.push_back(image.name);
  throw ConfigError({.where = "--view",
                     .got = name,
                     .expected = "a picture of the model, or a folder of some",
                     .fix = DidYouMean(name, known)});
}

}  // namespace

const std::vector<ColmapModelName>& ColmapModelNames() {
  static const std::vector<ColmapModelName> kNames = [] {
    std::vector<ColmapModelName> names;
    for (const auto& [number, row] : LensRows()) {
      names.push_back(
          {number, row.name, static_cast<size_t>(row.num_focals) + 2 + row.places.size()});
    }
    return names;
  }();
  return kNames;
}

ForeignCameras ReadColmapCameras(const CamerasOptions& options) {
  const ColmapModel model = ReadColmapModel(options.files);
  ForeignCameras cameras{.views = {}, .world = "COLMAP's own", .is_metric = false};
  const std::vector<std::string> chosen = SplitNames(options.view);
  std::vector<std::string> names = chosen;
  if (names.empty()) {
    for (const ColmapImage& image : model.images) names.push_back(image.name);
  }
  for (const std::string& name : names) {
    cameras.views.push_back(ViewOfImages(name, ImagesOf(name, model), model));
  }
  if (chosen.empty() || options.extrinsics.empty()) return cameras;
  for (const ColmapImage& image : model.images) {  // the pose of any picture places the rest
    if (std::find(names.begin(), names.end(), image.name) != names.end()) continue;
    cameras.views.push_back(ViewOfImages(image.name, {&image}, model));
  }
  return cameras;
}

}  // namespace aim
