#include "aim/control/camera_wish.h"

#include <cmath>
#include <numbers>

#include "aim/base/error.h"
#include "aim/base/file_stamp.h"
#include "aim/base/options.h"
#include "aim/base/text.h"

namespace aim {
namespace {

constexpr std::string_view kMovedPrefix = "moved:";
constexpr std::string_view kWithinPrefix = "within:";
constexpr double kMostMovedDeg = 90;
constexpr int kMostDraws = 256;
constexpr double kCentreTolerancePx = 0.5;
constexpr double kSquareTolerance = 1e-3;

[[noreturn]] void RefuseWish(const std::string& got) {
  throw ConfigError({.where = "--cameras",
                     .got = got,
                     .expected = Join(AllWords<CameraRange>()) +
                                 ", moved:DEG or within:DEG with DEG above 0 and at most 90, or "
                                 "file:CAMERAS.json",
                     .fix = ""});
}

// The DEG behind a word.
double Degrees(const std::string& text, std::string_view word) {
  const nlohmann::json number = ParseOptionText(text.substr(word.size()));
  if (!number.is_number()) RefuseWish('"' + text + '"');
  const double degrees = number.get<double>();
  if (!(degrees > 0 && degrees <= kMostMovedDeg)) RefuseWish('"' + text + '"');
  return degrees;
}

// A simulator's camera has one angle of view and looks through the middle of its picture.
void RequireSimpleCamera(const CameraTrack& view, const std::string& where) {
  const Camera& camera = view.frames.front();
  const bool is_square = std::abs(camera.fx / camera.fy - 1) <= kSquareTolerance;
  const bool is_centred = std::abs(camera.cx - camera.width / 2.0) <= kCentreTolerancePx &&
                          std::abs(camera.cy - camera.height / 2.0) <= kCentreTolerancePx;
  if (view.frames.size() == 1 && camera.width == camera.height && is_square && is_centred) return;
  throw ConfigError(
      {.where = where,
       .got = view.frames.size() > 1 ? "a camera that moves" : "a camera that no simulator has",
       .expected = "one camera a view, of square pictures, fx = fy and the principal "
                   "point in the middle",
       .fix = ""});
}

}  // namespace

std::optional<double> MovedDegrees(const std::string& text) {
  if (text == kUsualCameras) return 0;
  if (text.starts_with(kMovedPrefix)) return Degrees(text, kMovedPrefix);
  return std::nullopt;
}

CameraWish ParseCameraWish(const std::string& text) {
  CameraWish wish;
  if (const std::optional<double> moved_deg = MovedDegrees(text)) {
    wish.moved_deg = *moved_deg;
    return wish;
  }
  for (const auto& word : WordsOf(CameraRange{})) {
    if (text != word.text) continue;
    wish.range = word.value;
    return wish;
  }
  if (text.starts_with(kWithinPrefix)) {
    wish.within_deg = Degrees(text, kWithinPrefix);
    return wish;
  }
  if (!text.starts_with(kCameraFilePrefix)) RefuseWish('"' + text + '"');
  const std::string path = text.substr(kCameraFilePrefix.size());
  wish.views = ReadCamerasJson(path);
  for (size_t view = 0; view < wish.views.size(); ++view) {
    RequireSimpleCamera(wish.views[view], path + ": " + NameOfView(wish.views[view], view));
  }
  return wish;
}

nlohmann::json CameraSettings(const std::string& text) {
  if (!text.starts_with(kCameraFilePrefix)) return text;
  return {{"cameras", text}, {"content", FileStamp(text.substr(kCameraFilePrefix.size()))}};
}

Rigid3d TurnedAbout(const Rigid3d& world_from_camera, const Eigen::Vector3d& centre,
                    double angle_rad, double lowest_rad, Rng& rng) {
  const Eigen::Vector3d back = world_from_camera.translation - centre;
  AIM_CHECK(back.norm() > 1e-6);
  const Eigen::Vector3d sideways = back.unitOrthogonal();
  const Eigen::Vector3d upwards = back.normalized().cross(sideways);
  for (int draw = 0; draw < kMostDraws; ++draw) {
    const double direction_rad = rng.Uniform(0, 2 * std::numbers::pi);
    const Eigen::Vector3d axis =
        std::cos(direction_rad) * sideways + std::sin(direction_rad) * upwards;
    const Eigen::Quaterniond turn(Eigen::AngleAxisd(angle_rad, axis));
    const Eigen::Vector3d moved = turn * back;
    if (std::asin(moved.z() / moved.norm()) < lowest_rad) continue;
    return {(turn * world_from_camera.rotation).normalized(), centre + moved};
  }
  throw ConfigError({.where = "--cameras",
                     .got = "moved by " + ToText(angle_rad / kDegree) + " degrees",
                     .expected = "an angle that leaves the cameras above the table",
                     .fix = "choose a smaller one"});
}

void RequireUsualRange(const CameraWish& wish, const std::string& simulator) {
  if (wish.range == CameraRange::kUsual) return;
  throw ConfigError({.where = "--cameras",
                     .got = std::string(ToWord(wish.range)) + " in " + simulator,
                     .expected = "as-trained, moved:DEG, within:DEG or file:CAMERAS.json: the "
                                 "embedded simulator alone draws from that range",
                     .fix = ""});
}

Rigid3d MovedCamera(const CameraWish& wish, const Rigid3d& world_from_camera,
                    const Eigen::Vector3d& centre, double lowest_rad, Rng& rng) {
  const double degrees = wish.within_deg > 0 ? rng.Uniform(0, wish.within_deg) : wish.moved_deg;
  return TurnedAbout(world_from_camera, centre, degrees * kDegree, lowest_rad, rng);
}

Camera WishedCamera(const CameraWish& wish, size_t view, const std::string& name, size_t num_views,
                    int size) {
  std::vector<std::string> known;
  const CameraTrack* found = nullptr;
  for (const CameraTrack& track : wish.views) {
    known.push_back(track.name);
    if (track.name == name) found = &track;
  }
  if (found == nullptr && wish.views.size() == num_views) found = &wish.views[view];
  if (found == nullptr) {
    throw ConfigError({.where = "--cameras",
                       .got = "a file with the views " + Join(known),
                       .expected = "one called " + name + ", or " +
                                   CountText(static_cast<int64_t>(num_views), "view") +
                                   " in the simulator's order",
                       .fix = ""});
  }
  const Camera& camera = found->frames.front();
  return CropAndResize(camera, 0, 0, camera.width, camera.height, size, size);
}

}  // namespace aim
