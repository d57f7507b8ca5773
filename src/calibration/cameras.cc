#include "aim/calibration/cameras.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/name_list.h"
#include "aim/base/normal_path.h"
#include "aim/base/out_place.h"
#include "aim/base/text.h"
#include "aim/base/utf8.h"
#include "aim/geometry/checked_camera.h"
#include "calibration/camera_formats.h"
#include "calibration/extrinsics_file.h"
#include "calibration/undistort_views.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using Places = std::map<std::string, Rigid3d>;

std::vector<std::string> ViewNamesOf(const std::vector<ForeignView>& views) {
  std::vector<std::string> names;
  names.reserve(views.size());
  for (const ForeignView& view : views) names.push_back(view.name);
  return names;
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

// Leaves the views that were asked for, in that order; returns the others.
std::vector<ForeignView> ChooseViews(const std::vector<std::string>& names,
                                     ForeignCameras& cameras) {
  if (names.empty()) return {};
  const std::vector<std::string> known = ViewNamesOf(cameras.views);
  std::vector<ForeignView> chosen;
  std::vector<ForeignView> others = std::move(cameras.views);
  for (const std::string& name : names) {
    const auto found = std::find_if(others.begin(), others.end(),
                                    [&](const ForeignView& view) { return view.name == name; });
    if (found == others.end()) {
      throw ConfigError({.where = "--view",
                         .got = name,
                         .expected = "one of " + Join(known),
                         .fix = DidYouMean(name, known)});
    }
    chosen.push_back(*found);
    others.erase(found);
  }
  cameras.views = std::move(chosen);
  return others;
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
  const std::optional<Camera> resized =
      ForResizedPictures(camera, camera.width, camera.height, options.width, options.height);
  if (!resized) {
    throw ConfigError({.where = "--width and --height",
                       .got = SizeText(options.width, options.height),
                       .expected = "the shape of " + SizeText(camera.width, camera.height) +
                                   ", for which " + view.where + " is",
                       .fix = "cut pictures have other cameras: calibrate at their size"});
  }
  camera = *resized;
}

// Every pose is of a view that the calibration has: a name with a slip of the pen is no other view.
void RequireKnownNames(const Places& places, const std::string& path,
                       const std::vector<std::string>& known) {
  for (const auto& [name, place] : places) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    throw InputError({.where = path,
                      .got = "with the pose of " + Excerpt(name),
                      .expected = "views of the calibration: " + Join(known),
                      .fix = DidYouMean(name, known)});
  }
}

// The view whose pose can move all: the only one of those asked for that has one in the file, else
// the only one of the others.
const ForeignView* FindMover(const Places& places, const ForeignCameras& cameras,
                             const std::vector<ForeignView>& others) {
  for (const auto* views : {&cameras.views, &others}) {
    std::vector<const ForeignView*> named;
    for (const ForeignView& view : *views) {
      if (places.contains(view.name)) named.push_back(&view);
    }
    if (named.empty()) continue;
    return named.size() == 1 && !named[0]->world_from_camera.empty() ? named[0] : nullptr;
  }
  return nullptr;
}

// The rig is turned and moved as a whole, so that one of its views is at `place`.
void MoveRig(const ForeignView& view, const Rigid3d& place, ForeignCameras& cameras) {
  const Rigid3d new_from_old = place * Inverse(view.world_from_camera[0]);
  for (ForeignView& other : cameras.views) {
    for (Rigid3d& pose : other.world_from_camera) pose = new_from_old * pose;
  }
}

// Poses that the file of extrinsics has. One of a view whose calibration has poses of all of them
// moves all, also one of `others`, the views that were not asked for.
void ApplyExtrinsics(const std::string& path, const std::vector<ForeignView>& others,
                     ForeignCameras& cameras) {
  const Places places = ReadExtrinsics(path);
  std::vector<std::string> known = ViewNamesOf(cameras.views);
  for (const std::string& name : ViewNamesOf(others)) known.push_back(name);
  RequireKnownNames(places, path, known);
  std::vector<ForeignView*> named;
  bool is_rig = true;
  size_t num_poses = 0;
  for (ForeignView& view : cameras.views) {
    is_rig = is_rig && !view.world_from_camera.empty();
    num_poses += view.world_from_camera.size();
    if (places.contains(view.name)) named.push_back(&view);
  }
  const size_t num_views = cameras.views.size();
  const bool is_still = num_poses <= num_views;
  const bool is_for_each = is_rig ? named.size() == num_views && is_still : !named.empty();
  const ForeignView* mover = is_rig ? FindMover(places, cameras, others) : nullptr;
  if (!is_for_each && mover == nullptr) {
    const std::string asked = Join(ViewNamesOf(cameras.views));
    throw InputError({.where = path,
                      .got = "with the poses of " + std::to_string(named.size()) + " of the views",
                      .expected = (is_still ? "those of every view, " + asked : "") +
                                  (is_still && is_rig ? ", or " : "") +
                                  (is_rig ? "that of one, with which all others move" : ""),
                      .fix = ""});
  }
  cameras.world = "the world of " + path;
  cameras.is_metric = cameras.is_metric || is_for_each;
  if (!is_for_each) {
    MoveRig(*mover, places.at(mover->name), cameras);
    return;
  }
  for (ForeignView* view : named) view->world_from_camera = {places.at(view->name)};
}

void ScaleWorld(double metres_per_unit, std::vector<ForeignView>& views) {
  for (ForeignView& view : views) {
    for (Rigid3d& pose : view.world_from_camera) pose.translation *= metres_per_unit;
  }
}

// `others` are the views that were not asked for: their poses may move the rest.
void PlaceViews(const CamerasOptions& options, std::vector<ForeignView> others,
                ForeignCameras& cameras) {
  if (options.scale > 0) {
    ScaleWorld(options.scale, cameras.views);
    ScaleWorld(options.scale, others);
    cameras.is_metric = true;
  }
  if (!options.extrinsics.empty()) ApplyExtrinsics(options.extrinsics, others, cameras);
}

[[noreturn]] void FailWithoutPlace(const ForeignView& view, const std::string& extrinsics) {
  const std::string fix =
      "give --extrinsics with its pose (docs/data.md), or write world_from_camera, 4x4, into its "
      "file";
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
                        .got = "with " + CountText(static_cast<int64_t>(count), "picture"),
                        .expected = std::to_string(num_frames) + ", as the other moving views",
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

void RequireEachOnce(const std::vector<std::string>& asked) {
  std::set<std::string> names;
  for (const std::string& name : asked) {
    if (names.insert(name).second) continue;
    throw ConfigError({.where = "--view",
                       .got = Excerpt(name) + " once more",
                       .expected = "each view once",
                       .fix = ""});
  }
}

void WarnOfUnits(const ForeignCameras& cameras, const std::string& from) {
  constexpr double kFarM = 20;  // from what a robot reaches
  if (cameras.is_metric) {
    double farthest_m = 0;
    for (const ForeignView& view : cameras.views) {
      for (const Rigid3d& pose : view.world_from_camera) {
        farthest_m = std::max(farthest_m, pose.translation.norm());
      }
    }
    if (farthest_m <= kFarM) return;
    LogWarning(
        "a camera is " + std::to_string(std::lround(farthest_m)) +
        " m from where its world begins: if positions are in millimetres, give --scale 0.001");
    return;
  }
  LogWarning("positions are in units of " + from +
             "'s own, no metres: measure one distance and give --scale METRES_PER_UNIT, or the "
             "poses with --extrinsics");
}

// Of what an earlier run left there, --overwrite may remove pictures of views and their cameras,
// nothing else, nothing that no run has left, and nothing that is read now.
void RequireNewFolder(const CamerasOptions& options, bool overwrite) {
  const fs::path folder = options.undistorted;
  const auto refuse = [&](const std::string& got, const std::string& fix) {
    throw ConfigError({"--undistorted", folder.string() + ", " + got, "a new folder", fix});
  };
  std::vector<std::string> inputs = options.undistort;
  inputs.insert(inputs.end(), options.files.begin(), options.files.end());
  if (!options.extrinsics.empty()) inputs.push_back(options.extrinsics);
  for (const std::string& path : inputs) {
    if (HoldsOrIs(folder, fs::weakly_canonical(fs::absolute(path)))) {
      refuse("where " + path + " is read from", "choose another one");
    }
  }
  if (!fs::exists(folder)) return;
  if (!fs::is_directory(folder)) refuse("which is a file", "choose another one");
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!overwrite) refuse("which exists", "choose another one, or give --overwrite");
    if (name.starts_with("view") || name == "cameras.json" || name == kUndistortedRecord) continue;
    refuse("which exists and holds " + name + ", which this command does not write",
           "choose another one");
  }
  if (!fs::is_empty(folder) && !fs::exists(folder / kUndistortedRecord)) {
    refuse(
        "which exists and no earlier run has made: there is no " + std::string(kUndistortedRecord),
        "choose another one");
  }
}

// Beside the pictures or in their folder; before the old pictures go.
void WriteWithPictures(const CamerasOptions& options, const std::vector<CameraTrack>& tracks,
                       const fs::path& out, const fs::path& staged) {
  const fs::path below = NormalPath(out).lexically_relative(NormalPath(options.undistorted));
  const bool is_inside = !below.empty() && *below.begin() != "..";
  WriteCamerasJson(is_inside ? staged / below : out, tracks);
}

}  // namespace

void CamerasOptions::Validate() const {
  if (from.empty()) {
    throw ConfigError({.where = "--from",
                       .got = "not given",
                       .expected = DescribeLimits(CameraFormats()),
                       .fix = ""});
  }
  CheckRanges(*this);
  RequireEachOnce(view);
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
                            {"poses", view.num_frames},
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
  PlaceViews(options, ChooseViews(SplitNames(options.view), cameras), cameras);
  RequirePlaces(cameras, options.extrinsics);
  for (ForeignView& view : cameras.views) ApplySize(options, view);
  const std::vector<CameraTrack> tracks = TracksOf(cameras);
  if (options.undistort.empty()) {
    RefuseLenses(cameras);
  } else {
    CheckPictures(options, cameras.views);
    RequireNewFolder(options, run.common().overwrite);
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
  if (options.undistort.empty()) {
    WriteCamerasJson(run.out(), tracks);
  } else {
    const auto finish = [&](const fs::path& staged) {
      WriteWithPictures(options, tracks, run.out(), staged);
    };
    UndistortViews(options, cameras.views, finish, report.views, run.progress());
  }
  WarnOfUnits(cameras, options.from);
  return report;
}

}  // namespace aim
