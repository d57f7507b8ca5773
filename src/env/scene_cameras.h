// Where a scene's cameras stand.
#pragma once

#include "aim/base/rng.h"
#include "aim/control/camera_wish.h"
#include "env/scene_layout.h"

namespace aim {

// What --cameras wide draws from, each camera on its own, degrees. Azimuth 0 looks at the robot's
// front, 90 from its left side.
inline constexpr double kWidestAzimuth_deg = 100;
inline constexpr double kHeldOutFrom_deg = 60;  // azimuths of the band, on either side
inline constexpr double kHeldOutTo_deg = 80;
inline constexpr double kLowest_deg = 20;  // elevations
inline constexpr double kHighest_deg = 65;
inline constexpr double kNarrowestFovy_deg = 35;
inline constexpr double kWidestFovy_deg = 70;
inline constexpr double kLeastApart_deg = 25;  // of two lines of sight

// What the cameras look at, a little jitter aside.
inline const Eigen::Vector3d kSceneCentre{0.51, 0.0, 0.11};

// Near the given place (docs/reference/small-model.md section 1). World from GL camera.
Rigid3d DrawUsualCamera(double azimuth_deg, double elevation_deg, Rng& rng);

// Puts drawn cameras where the wish has them. Throws ConfigError if they cannot stand there.
void PlaceCameras(const CameraWish& wish, const Rng& rng, SceneLayout& layout);

}  // namespace aim
