#include "env/cube.h"

namespace aim {

void AddCube(mjsBody* world) {
  mjsGeom* geom = AddBlock(
      world, {.name = "cube", .size = {kCubeHalf_m, kCubeHalf_m, kCubeHalf_m}, .mass_kg = 0.08});
  geom->friction[0] = 1.0;
}

int FingersOnCube(const mjModel* model, const mjData* data) {
  return int{Touching(model, data, "cube", "left_finger_pad")} +
         int{Touching(model, data, "cube", "right_finger_pad")};
}

Rigid3d AboveCube(const Rigid3d& world_from_cube, double height_m) {
  Eigen::Vector3d tip = world_from_cube.translation;
  tip.z() = height_m;
  return ToolDown(tip, QuarterTurnNearest(YawOf(world_from_cube.rotation)));
}

std::vector<Waypoint> GraspCube(const Rigid3d& world_from_cube, double hover_m) {
  const Rigid3d grasp = AboveCube(world_from_cube, kCubeGraspHeight_m);
  return {{.world_from_tool = AboveCube(world_from_cube, hover_m)},
          {.world_from_tool = grasp},
          {.world_from_tool = grasp, .gripper_open = false, .wait_frames = kCloseFrames}};
}

}  // namespace aim
