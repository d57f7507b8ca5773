#include "aim/calibration/cameras.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/text.h"
#include "aim/base/utf8.h"
#include "calibration/camera_formats.h"
#include "calibration/extrinsics_file.h"
#include "calibration/undistort_views.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using Places = std::map<std::string, Rigid3d>;

constexpr double kSameShape = 0.02;  // by which the aspects of two sizes may differ

std::string ViewNamesOf(const ForeignCameras& cameras) {
  std::vector<std::string> names;
  for (const ForeignView& view : cameras.views) names.push_back(view.name);
  return Join(names);
}

void RequireOwnNames(const ForeignCameras& cameras) {
  std::set<std::string> names;
  for (const ForeignView& view : cameras.views) {
    if (!IsValidUtf8(view.name)) {
      throw InputError({.where = view.where,
                        .got = "a view called " + Excerpt(view.name),
                        .expected = "a name in UTF-8",
                        .fix = "rename the picture"});
    }
    if (names.insert(view.name).second) continue;
    throw InputError({.where = view.where,
                      .got = "a second view called " + view.name,
                      .expected = "a name of its own for each view",
                      .fix = "rename the files, or their camera_name"});
  }
}

void ChooseViews(const std::vector<std::string>& names, ForeignCameras& cameras) {
  if (names.empty()) return;
  std::vector<ForeignView> chosen;
  for (const std::string& name : names) {
    const auto found = std::find_if(cameras.views.begin(), cameras.views.end(),
                                    [&](const ForeignView& view) { return view.name == name; });
    if (found == cameras.views.end()) {
      throw ConfigError({.where = "--view",
                         .got = name,
                         .expected = "one of " + ViewNamesOf(cameras),
                         .fix = ""});
    }
    chosen.push_back(*found);
  }
  cameras.views = std::move(chosen);
}

// The size that was asked for; a file that says another is scaled to it.
void ApplySize(const CamerasOptions& options, ForeignView& view) {
  Camera& camera = view.camera;
  if (options.width == 0 && camera.width > 0) return;
  if (options.width == 0) {
    throw ConfigError({.where = "--width and --height",
                       .got = "not given",
                       .expected = "the size of the pictures that " + view.where + " is for",
                       .fix = "the file does not say it"});
  }
  if (camera.width == 0) {
    camera.width = options.width;
    camera.height = options.height;
    return;
  }
  const double aspect_change = static_cast<double>(options.width) * camera.height /
                               (static_cast<double>(options.height) * camera.width);
  if (!(std::abs(aspect_change - 1) <= kSameShape)) {
    throw ConfigError({.where = "--width and --height",
                       .got = SizeText(options.width, options.height),
                       .expected = "the shape of " + SizeText(camera.width, camera.height) +
                                   ", for which " + view.where + " is",
                       .fix = "cut pictures have other cameras: calibrate at their size"});
  }
  camera = CropAndResize(camera, 0, 0, camera.width, camera.height, options.width, options.height);
}

size_t CountPoses(const ForeignCameras& cameras) {
  size_t count = 0;
  for (const ForeignView& view : cameras.views) count += view.world_from_camera.size();
  return count;
}

// The rig is turned and moved as a whole, so that one of its views is at `place`.
void MoveRig(const ForeignView& view, const Rigid3d& place, ForeignCameras& cameras) {
  const Rigid3d new_from_old = place * Inverse(view.world_from_camera[0]);
  for (ForeignView& other : cameras.views) {
    for (Rigid3d& pose : other.world_from_camera) pose = new_from_old * pose;
  }
}

// Poses that the file of extrinsics has. One of a view whose calibration has poses of all of them
// moves all.
void ApplyExtrinsics(const fs::path& path, ForeignCameras& cameras) {
  const Places places = ReadExtrinsics(path);
  std::vector<ForeignView*> named;
  bool is_rig = true;
  for (ForeignView& view : cameras.views) {
    is_rig = is_rig && !view.world_from_camera.empty();
    if (places.contains(view.name)) named.push_back(&view);
  }
  const size_t num_views = cameras.views.size();
  const bool moves_rig = is_rig && named.size() == 1;
  const bool is_still = CountPoses(cameras) <= num_views;
  const bool is_for_each = is_rig ? named.size() == num_views && is_still : !named.empty();
  if (!moves_rig && !is_for_each) {
    throw InputError({.where = path.string(),
                      .got = "with the poses of " + std::to_string(named.size()) + " views",
                      .expected = (is_still ? "those of every view, " + ViewNamesOf(cameras) : "") +
                                  (is_still && is_rig ? ", or " : "") +
                                  (is_rig ? "that of one, with which all others move" : ""),
                      .fix = ""});
  }
  cameras.world = "the world of " + path.string();
  if (moves_rig) {
    MoveRig(*named[0], places.at(named[0]->name), cameras);
    cameras.is_metric = cameras.is_metric || CountPoses(cameras) == 1;
    return;
  }
  for (ForeignView* view : named) view->world_from_camera = {places.at(view->name)};
  cameras.is_metric = true;
}

void PlaceViews(const CamerasOptions& options, ForeignCameras& cameras) {
  for (ForeignView& view : cameras.views) {
    for (Rigid3d& pose : view.world_from_camera) {
      pose.translation *= options.scale > 0 ? options.scale : 1.0;
    }
  }
  cameras.is_metric = cameras.is_metric || options.scale > 0;
  if (!options.extrinsics.empty()) ApplyExtrinsics(options.extrinsics, cameras);
}

[[noreturn]] void FailWithoutPlace(const ForeignView& view, const std::string& extrinsics) {
  const std::string fix = "write its world_from_camera as docs/data.md shows";
  if (!extrinsics.empty()) {
    throw InputError({.where = extrinsics,
                      .got = "without the view " + view.name,
                      .expected = "the pose of every view",
                      .fix = fix});
  }
  throw ConfigError({.where = "--extrinsics",
                     .got = "not given",
                     .expected = "a file that says where the camera " + view.name +
                                 " is: " + view.where + " does not",
                     .fix = fix});
}

// Every view has a pose, or one a frame, of as many frames as the others that move.
void RequirePlaces(const ForeignCameras& cameras, const std::string& extrinsics) {
  size_t num_frames = 1;
  for (const ForeignView& view : cameras.views) {
    const size_t count = view.world_from_camera.size();
    if (count == 0) FailWithoutPlace(view, extrinsics);
    if (count > 1 && num_frames > 1 && count != num_frames) {
      throw InputError({.where = view.where + " " + view.name,
                        .got = std::to_string(count) + " pictures",
                        .expected = std::to_string(num_frames) + " as the other moving views",
                        .fix = "every frame of every view must be in the model"});
    }
    num_frames = std::max(num_frames, count);
  }
}

// To so many parts of one.
double Rounded(double value, double parts) { return std::round(parts * value) / parts; }

void RefuseLenses(const ForeignCameras& cameras) {
  for (const ForeignView& view : cameras.views) {
    if (!IsBent(view.lens)) continue;
    const double shift = Rounded(CornerShiftPx(view.camera, view.lens), 10);
    throw InputError({.where = view.where,
                      .got = "a lens that moves the corners of the picture by up to " +
                             ToText(shift) + " pixels (view " + view.name + ")",
                      .expected = "pictures without distortion: cameras.json has pinholes alone",
                      .fix = "give the videos or pictures with --undistort, once a view, and a new "
                             "folder with --undistorted"});
  }
}

std::vector<CameraTrack> TracksOf(const ForeignCameras& cameras) {
  std::vector<CameraTrack> tracks;
  for (const ForeignView& view : cameras.views) {
    CameraTrack track{view.name, {}};
    for (const Rigid3d& pose : view.world_from_camera) {
      track.frames.push_back(view.camera);
      track.frames.back().world_from_camera = pose;
    }
    Validate(track.frames[0], view.where);
    tracks.push_back(std::move(track));
  }
  return tracks;
}

void WarnOfUnits(const ForeignCameras& cameras, const std::string& from) {
  if (cameras.is_metric) return;
  LogWarning("positions are in units of " + from +
             "'s own, no metres: measure one distance and give --scale METRES_PER_UNIT, or the "
             "poses with --extrinsics");
}

void RequireNewFolder(const std::string& path) {
  if (!fs::exists(path) || (fs::is_directory(path) && fs::is_empty(path))) return;
  throw ConfigError({.where = "--undistorted",
                     .got = path + ", which exists",
                     .expected = "a new folder",
                     .fix = "choose another one"});
}

}  // namespace

void CamerasOptions::Validate() const {
  if (from.empty()) {
    throw ConfigError({.where = "--from",
                       .got = "not given",
                       .expected = DescribeLimits(CameraFormats()),
                       .fix = ""});
  }
  if ((width == 0) != (height == 0)) {
    throw ConfigError({.where = width == 0 ? "--width" : "--height",
                       .got = "not given",
                       .expected = "both sides of the picture",
                       .fix = ""});
  }
  if (undistort.empty() != undistorted.empty()) {
    throw ConfigError({.where = undistort.empty() ? "--undistort" : "--undistorted",
                       .got = "not given",
                       .expected = undistort.empty() ? "the pictures of each view"
                                                     : "a folder for the new pictures",
                       .fix = ""});
  }
  if (fisheye && from != "opencv") {
    throw ConfigError({.where = "--fisheye",
                       .got = "given with --from " + from,
                       .expected = "--from opencv: the other files name their lens",
                       .fix = ""});
  }
}

nlohmann::json ToJson(const CamerasReport& report) {
  nlohmann::json views = nlohmann::json::array();
  for (const CamerasReport::View& view : report.views) {
    nlohmann::json entry = {{"name", view.name},
                            {"size", SizeText(view.width, view.height)},
                            {"frames", view.num_frames},
                            {"lens_px", Rounded(view.corner_shift_px, 10)}};
    if (!view.file.empty()) {
      entry["undistorted"] = view.file;
      entry["blank"] = Rounded(view.blank_fraction, 1000);
    }
    views.push_back(std::move(entry));
  }
  return {{"from", report.from},
          {"world", report.world},
          {"metric", report.is_metric},
          {"views", std::move(views)}};
}

CamerasReport RunCameras(const CamerasOptions& options, RunContext& run) {
  options.Validate();
  const auto formats = AllCameraFormats();
  const auto format = std::find_if(formats.begin(), formats.end(),
                                   [&](const CameraFormat& f) { return f.name == options.from; });
  AIM_CHECK(format != formats.end() && !options.files.empty());
  ForeignCameras cameras = format->read(options);
  RequireOwnNames(cameras);
  PlaceViews(options, cameras);
  ChooseViews(options.view, cameras);
  RequirePlaces(cameras, options.extrinsics);
  for (ForeignView& view : cameras.views) ApplySize(options, view);
  const std::vector<CameraTrack> tracks = TracksOf(cameras);
  if (options.undistort.empty()) {
    RefuseLenses(cameras);
  } else {
    CheckPictures(options, cameras.views);
    RequireNewFolder(options.undistorted);
  }
  CamerasReport report{
      .from = options.from, .world = cameras.world, .is_metric = cameras.is_metric, .views = {}};
  for (const ForeignView& view : cameras.views) {
    report.views.push_back({.name = view.name,
                            .width = view.camera.width,
                            .height = view.camera.height,
                            .num_frames = view.world_from_camera.size(),
                            .corner_shift_px = CornerShiftPx(view.camera, view.lens)});
  }
  run.PrepareOutFile();
  if (!options.undistort.empty())
    UndistortViews(options, cameras.views, report.views, run.progress());
  WriteCamerasJson(run.out(), tracks);
  WarnOfUnits(cameras, options.from);
  return report;
}

}  // namespace aim
