// cameras.json, "aim-cameras-1": reading checks every field and names it as the file does.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/geometry/camera.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "aim-cameras-1";
constexpr int kMaxSizePx = 65536;

std::string Shown(const json& value) {
  if (value.is_number_float()) return ToText(value.get<double>());
  if (value.is_array()) return "a list of " + std::to_string(value.size());
  if (value.is_object()) return "an object";
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

const json& Field(const json& object, const char* name, const std::string& where) {
  const auto found = object.find(name);
  if (found == object.end()) {
    throw InputError({where + "." + name, "missing",
                      "each view has name, width, height, fx, fy, "
                      "cx, cy and world_from_camera",
                      ""});
  }
  return *found;
}

double Number(const json& value, const std::string& where) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    throw InputError({where, Shown(value), "a finite number", ""});
  }
  return value.get<double>();
}

int SizePx(const json& value, const std::string& where) {
  if (!value.is_number_integer() || value.get<double>() < 1 || value.get<double>() > kMaxSizePx) {
    throw InputError({where, Shown(value), "a whole number of pixels in [1, 65536]", ""});
  }
  return value.get<int>();
}

Rigid3d ReadTransform(const json& value, const std::string& where) {
  if (!value.is_array() || value.size() != 16) {
    throw InputError(
        {where, Shown(value), "16 numbers, row-major, or a list of those, one a frame", ""});
  }
  Eigen::Matrix4d matrix;
  for (size_t i = 0; i < 16; ++i) {
    matrix(static_cast<Eigen::Index>(i / 4), static_cast<Eigen::Index>(i % 4)) =
        Number(value[i], where + "[" + std::to_string(i) + "]");
  }
  return RigidFromMatrix(matrix, where);
}

CameraTrack ReadView(const json& view, const std::string& where) {
  if (!view.is_object()) throw InputError({where, Shown(view), "an object", ""});
  CameraTrack track;
  const json& name = Field(view, "name", where);
  if (!name.is_string()) throw InputError({where + ".name", Shown(name), "text in quotes", ""});
  track.name = name.get<std::string>();
  const auto number = [&](const char* key) {
    return Number(Field(view, key, where), where + "." + key);
  };
  Camera camera;
  camera.width = SizePx(Field(view, "width", where), where + ".width");
  camera.height = SizePx(Field(view, "height", where), where + ".height");
  camera.fx = number("fx");
  camera.fy = number("fy");
  camera.cx = number("cx");
  camera.cy = number("cy");
  Validate(camera, where);

  const std::string where_pose = where + ".world_from_camera";
  const json& transforms = Field(view, "world_from_camera", where);
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

json ParseFile(const std::filesystem::path& path) {
  const std::string text = ReadFile(path);
  try {
    return json::parse(text);
  } catch (const json::parse_error& error) {
    throw FormatError(
        {path.string(), "not valid JSON from byte " + std::to_string(error.byte) + " on",
         "a whole \"aim-cameras-1\" file", "the file may be cut short, or hold NaN or Infinity"});
  } catch (const json::out_of_range&) {
    throw FormatError(
        {path.string(), "holding a number too large for a double", "finite numbers", ""});
  }
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

}  // namespace

std::vector<CameraTrack> ReadCamerasJson(const std::filesystem::path& path) {
  const std::string file = path.string();
  const json root = ParseFile(path);
  if (!root.is_object() || !root.contains("format") || root["format"] != kFormat) {
    throw FormatError(
        {file + ": format",
         root.is_object() && root.contains("format") ? Shown(root["format"]) : "missing",
         "\"aim-cameras-1\"", "convert the cameras with aim-data convert"});
  }
  if (!root.contains("views") || !root["views"].is_array() || root["views"].empty()) {
    throw InputError({file + ": views", root.contains("views") ? Shown(root["views"]) : "missing",
                      "a list of at least one view", ""});
  }
  std::vector<CameraTrack> views;
  size_t num_frames = 1;
  for (const json& view : root["views"]) {
    const std::string where = file + ": views[" + std::to_string(views.size()) + "]";
    views.push_back(ReadView(view, where));
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
