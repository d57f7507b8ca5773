// Where the cameras of an environment are to stand: --cameras.
#pragma once

#include <Eigen/Core>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aim/base/rng.h"
#include "aim/base/words.h"
#include "aim/geometry/camera.h"

namespace aim {

inline constexpr const char* kUsualCameras = "as-trained";
inline constexpr std::string_view kCameraFilePrefix = "file:";  // before the path of a cameras.json

// For --help.
inline constexpr const char* kCameraWishHelp =
    "as-trained, moved:DEG (each turned about the scene's centre, in its own direction), "
    "within:DEG (by up to so much), wide (drawn from all in front and at the sides), held-out "
    "(from the band that wide leaves out) or file:CAMERAS.json";

// Where a simulator draws its cameras, each on its own: as usual, anywhere but in a band that is
// kept for evaluation, or in that band.
enum class CameraRange { kUsual, kWide, kHeldOut };
constexpr auto WordsOf(CameraRange) {
  using enum CameraRange;
  return WordTable<CameraRange, 3>{
      {{kUsual, kUsualCameras}, {kWide, "wide"}, {kHeldOut, "held-out"}}};
}

// As the environment places them, unless a field says otherwise.
struct CameraWish {
  CameraRange range = CameraRange::kUsual;
  double moved_deg = 0;   // each turned about the scene's centre, in its own direction
  double within_deg = 0;  // the same by an angle drawn below this one
  std::vector<CameraTrack> views = {};  // not empty: exactly these, one camera a view

  bool IsAsTrained() const {
    return range == CameraRange::kUsual && moved_deg == 0 && within_deg == 0 && views.empty();
  }
};

// A word of CameraRange, "moved:DEG" or "within:DEG" with DEG in (0, 90], or "file:C.json". Throws
// ConfigError, and what ReadCamerasJson throws; one camera a view, square pixels, the principal
// point in the middle.
CameraWish ParseCameraWish(const std::string& text);

// How far `text` moves every camera, degrees: 0 for as-trained; none where places are drawn or a
// file names them, which is not read. Throws ConfigError for a number that cannot be.
std::optional<double> MovedDegrees(const std::string& text);

// What must not change where a run goes on: `text`, and what is in the file that it names.
nlohmann::json CameraSettings(const std::string& text);

// The camera turned by `angle_rad` about an axis through `centre` that is square to its line of
// sight and drawn with `rng`, among those that leave it at least `lowest_rad` above the horizon of
// the centre (z up). Throws ConfigError if no direction of many does.
Rigid3d TurnedAbout(const Rigid3d& world_from_camera, const Eigen::Vector3d& centre,
                    double angle_rad, double lowest_rad, Rng& rng);

// Throws ConfigError for a range that `simulator` does not have: only its usual one.
void RequireUsualRange(const CameraWish& wish, const std::string& simulator);

// The camera turned as a wish without views says: moved_deg, or evenly drawn from 0 to within_deg.
Rigid3d MovedCamera(const CameraWish& wish, const Rigid3d& world_from_camera,
                    const Eigen::Vector3d& centre, double lowest_rad, Rng& rng);

// Of a view whose wish is a camera of a file: that camera for square pictures of `size` pixels.
// Throws ConfigError if the file has no view of that name and other than `num_views` views.
Camera WishedCamera(const CameraWish& wish, size_t view, const std::string& name, size_t num_views,
                    int size);

}  // namespace aim
