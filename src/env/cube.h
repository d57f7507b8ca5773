// A cube that the gripper takes, as pick_and_lift and stack_blocks have it.
#pragma once

#include <vector>

#include "env/scene_spec.h"
#include "env/task.h"

namespace aim {

inline constexpr double kCubeHalf_m = 0.02;
inline constexpr double kCubeGraspHeight_m = 0.014;  // of the tip, the cube on the table

// Body and geom "cube".
void AddCube(mjsBody* world);

// How many of the two fingers touch it?
int FingersOnCube(const mjModel* model, const mjData* data);

// The grasp: a tip straight above the cube, turned to its faces.
Rigid3d AboveCube(const Rigid3d& world_from_cube, double height_m);
// To a hover above the cube, down, and closed.
std::vector<Waypoint> GraspCube(const Rigid3d& world_from_cube, double hover_m);

}  // namespace aim
