// cameras.json, "aim-cameras-1": reading checks every field and names it as the file does.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/format/json_reader.h"
#include "aim/geometry/camera.h"
#include "aim/geometry/checked_camera.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "aim-cameras-1";

double FiniteNumber(const json& value, const std::string& where) {
  if (value.is_number() && std::isfinite(value.get<double>())) return value.get<double>();
  throw InputError({where, ShownJson(value), "a finite number", ""});
}

Rigid3d ReadTransform(const json& value, const std::string& where) {
  if (!value.is_array() || value.size() != 16) {
    throw InputError(
        {where, ShownJson(value), "16 numbers, row-major, or a list of those, one a frame", ""});
  }
  Eigen::Matrix4d matrix;
  for (size_t i = 0; i < 16; ++i) {
    matrix(static_cast<Eigen::Index>(i / 4), static_cast<Eigen::Index>(i % 4)) =
        FiniteNumber(value[i], where + "[" + std::to_string(i) + "]");
  }
  return RigidFromMatrix(matrix, where);
}

bool IsZero(const json& value) {
  if (value.is_number()) return value.get<double>() == 0;
  if (value.is_array()) return std::all_of(value.begin(), value.end(), IsZero);
  return value.is_null();
}

// A lens that a pinhole has not would be left out of every projection.
void RefuseLens(const JsonReader& fields) {
  for (const char* key : {"distortion", "distortion_coefficients", "dist_coeffs", "dist", "skew",
                          "s", "k1", "k2", "k3", "k4", "p1", "p2", "xi", "alpha"}) {
    if (!fields.Has(key) || IsZero(fields.object().at(key))) continue;
    fields.Fail(key, "none, or zeros: cameras are pinholes without distortion or skew",
                "undistort the pictures and give the cameras of the result");
  }
}

// Judges a camera's numbers; throws InputError naming `where`.
using Judge = void (*)(const Camera& camera, const std::string& where);

void RequireFocalLengths(const Camera& camera, const std::string& where) {
  if (camera.fx != 0 && camera.fy != 0) return;
  throw InputError({where + (camera.fx == 0 ? ".fx" : ".fy"), "0", "a focal length in pixels", ""});
}

CameraTrack ReadView(const json& view, const std::string& where, Judge judge) {
  const JsonReader fields(view, where);
  RefuseLens(fields);
  const auto size_px = [&](const char* key) {
    if (!fields.HasWhole(key, 1, kMaxPictureSidePx)) fields.Fail(key, kPictureSideText);
    return fields.Int(key);
  };
  CameraTrack track;
  track.name = fields.Text("name");
  Camera camera;
  camera.width = size_px("width");
  camera.height = size_px("height");
  camera.fx = fields.Number("fx");
  camera.fy = fields.Number("fy");
  camera.cx = fields.Number("cx");
  camera.cy = fields.Number("cy");
  judge(camera, where);

  const std::string where_pose = where + ".world_from_camera";
  const json& transforms = fields.At("world_from_camera");
  const bool one_a_frame =
      transforms.is_array() && !transforms.empty() && !transforms[0].is_number();
  if (!one_a_frame) {
    camera.world_from_camera = ReadTransform(transforms, where_pose);
    track.frames.push_back(camera);
    return track;
  }
  for (size_t frame = 0; frame < transforms.size(); ++frame) {
    camera.world_from_camera =
        ReadTransform(transforms[frame], where_pose + "[" + std::to_string(frame) + "]");
    track.frames.push_back(camera);
  }
  return track;
}

nlohmann::ordered_json ToJson(const Rigid3d& world_from_camera) {
  const Eigen::Matrix4d matrix = ToMatrix(world_from_camera);
  nlohmann::ordered_json numbers = nlohmann::ordered_json::array();
  for (Eigen::Index row = 0; row < 4; ++row) {
    for (Eigen::Index column = 0; column < 4; ++column) numbers.push_back(matrix(row, column));
  }
  return numbers;
}

bool SameIntrinsics(const Camera& a, const Camera& b) {
  return a.width == b.width && a.height == b.height && a.fx == b.fx && a.fy == b.fy &&
         a.cx == b.cx && a.cy == b.cy;
}

std::vector<CameraTrack> ReadViews(const std::filesystem::path& path, Judge judge) {
  const std::string file = path.string();
  const json root = ReadJsonFile(path);
  if (!root.is_object() || !root.contains("format") || root["format"] != kFormat) {
    throw FormatError(
        {file + ": format",
         root.is_object() && root.contains("format") ? ShownJson(root["format"]) : "missing",
         "\"aim-cameras-1\"", "write the cameras as docs/reference/formats.md 9.2 says"});
  }
  if (!root.contains("views") || !root["views"].is_array() || root["views"].empty()) {
    throw InputError({file + ": views",
                      root.contains("views") ? ShownJson(root["views"]) : "missing",
                      "a list of at least one view", ""});
  }
  std::vector<CameraTrack> views;
  size_t num_frames = 1;
  for (const json& view : root["views"]) {
    const std::string where = file + ": views[" + std::to_string(views.size()) + "]";
    views.push_back(ReadView(view, where, judge));
    const size_t frames = views.back().frames.size();
    if (frames > 1 && num_frames > 1 && frames != num_frames) {
      throw InputError({where + ".world_from_camera", "a list of " + std::to_string(frames),
                        "as many frames as the other views (" + std::to_string(num_frames) + ")",
                        ""});
    }
    num_frames = std::max(num_frames, frames);
  }
  return views;
}

}  // namespace

std::vector<CameraTrack> ReadCamerasJson(const std::filesystem::path& path) {
  return ReadViews(path, Validate);
}

std::vector<CameraTrack> ReadSuspectCamerasJson(const std::filesystem::path& path) {
  return ReadViews(path, RequireFocalLengths);
}

void WriteCamerasJson(const std::filesystem::path& path, const std::vector<CameraTrack>& views) {
  nlohmann::ordered_json root;
  root["format"] = kFormat;
  root["views"] = nlohmann::ordered_json::array();
  for (const CameraTrack& track : views) {
    AIM_CHECK(!track.frames.empty());
    const Camera& camera = track.frames[0];
    nlohmann::ordered_json view = {
        {"name", track.name}, {"width", camera.width}, {"height", camera.height}, {"fx", camera.fx},
        {"fy", camera.fy},    {"cx", camera.cx},       {"cy", camera.cy}};
    if (track.frames.size() == 1) {
      view["world_from_camera"] = ToJson(camera.world_from_camera);
    } else {
      view["world_from_camera"] = nlohmann::ordered_json::array();
      for (const Camera& frame : track.frames) {
        if (!SameIntrinsics(frame, camera)) {
          throw InputError({"camera " + track.name, "of changing size or intrinsics",
                            "one size and one set of intrinsics a view",
                            "resize the video to one size first"});
        }
        view["world_from_camera"].push_back(ToJson(frame.world_from_camera));
      }
    }
    root["views"].push_back(std::move(view));
  }
  WriteFileAtomic(path, root.dump(1) + "\n");
}

}  // namespace aim
