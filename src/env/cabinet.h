// A cabinet with one drawer, as close_drawer and open_drawer have it.
#pragma once

#include "env/scene_spec.h"

namespace aim {

// The cabinet's frame: origin on the table below its middle, x the way the drawer opens.
inline constexpr double kClosedFront_m = 0.077;  // outer face of the closed drawer's front

// Bodies "cabinet" and "drawer", the joint "drawer" between them: metres that the drawer is open.
// Returns the drawer.
mjsBody* AddCabinet(mjsBody* world);

void PaintDrawer(const Rgb& colour, SceneLayout& layout);

// The cabinet, turned by `yaw_rad`, with the point `ahead_m` along its x at `middle` on the table.
SceneLayout::Body PlacedCabinet(const Eigen::Vector3d& middle, double ahead_m, double yaw_rad);

}  // namespace aim
