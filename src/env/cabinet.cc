#include "env/cabinet.h"

#include "env/task.h"

namespace aim {
namespace {

constexpr double kHalfDepth_m = 0.065;
constexpr double kHalfWidth_m = 0.07;
constexpr double kHeight_m = 0.07;
constexpr double kWall_m = 0.004;  // half thickness

void AddWalls(mjsBody* cabinet) {
  const Rgb wood{0.80f, 0.76f, 0.70f};
  const double middle = kHeight_m / 2;
  const auto wall = [&](const std::string& name, const Eigen::Vector3d& position,
                        const Eigen::Vector3d& half_size) {
    AddGeom(cabinet, {.name = name,
                      .position = position,
                      .size = half_size,
                      .colour = wood,
                      .touch = Touch::kFixture});
  };
  wall("cabinet_top", {0, 0, kHeight_m - kWall_m}, {kHalfDepth_m, kHalfWidth_m, kWall_m});
  wall("cabinet_left", {0, kHalfWidth_m - kWall_m, middle}, {kHalfDepth_m, kWall_m, middle});
  wall("cabinet_right", {0, -kHalfWidth_m + kWall_m, middle}, {kHalfDepth_m, kWall_m, middle});
  wall("cabinet_back", {-kHalfDepth_m + kWall_m, 0, middle}, {kWall_m, kHalfWidth_m, middle});
}

void AddBoards(mjsBody* drawer) {
  const auto board = [&](const std::string& name, const Eigen::Vector3d& position,
                         const Eigen::Vector3d& half_size) {
    AddGeom(drawer, {.name = name,
                     .position = position,
                     .size = half_size,
                     .touch = Touch::kFixture,
                     .mass_kg = 0.08});
  };
  const double inner = kHalfWidth_m - 3 * kWall_m;
  board("drawer_front", {kClosedFront_m - 0.006, 0, 0.034}, {0.006, kHalfWidth_m, 0.031});
  board("drawer_left", {0.005, inner, 0.029}, {0.06, kWall_m, 0.022});
  board("drawer_right", {0.005, -inner, 0.029}, {0.06, kWall_m, 0.022});
  board("drawer_back", {-0.051, 0, 0.029}, {kWall_m, inner, 0.022});
  board("drawer_bottom", {0.005, 0, 0.009}, {0.06, inner, 0.003});
}

}  // namespace

mjsBody* AddCabinet(mjsBody* world) {
  mjsBody* cabinet = AddBody(world, "cabinet");
  AddWalls(cabinet);
  mjsBody* drawer = AddBody(cabinet, "drawer");
  AddBoards(drawer);
  AddJoint(drawer, {.name = "drawer",
                    .axis = Eigen::Vector3d::UnitX(),
                    .lowest = 0,
                    .highest = 0.125,
                    .damping = 4,
                    .friction_loss = 3});
  return drawer;
}

void PaintDrawer(const Rgb& colour, SceneLayout& layout) {
  for (const char* board :
       {"drawer_front", "drawer_left", "drawer_right", "drawer_back", "drawer_bottom"}) {
    layout.colours.push_back({board, colour});
  }
}

SceneLayout::Body PlacedCabinet(const Eigen::Vector3d& middle, double ahead_m, double yaw_rad) {
  const Rigid3d yaw = OnTable(0, 0, 0, yaw_rad);
  return {"cabinet", {yaw.rotation, middle - yaw * Eigen::Vector3d(ahead_m, 0, 0)}};
}

}  // namespace aim
