// stack_blocks: put the cube of the named colour on the white block and let go of it.
#include <cmath>
#include <numbers>

#include "env/cube.h"

namespace aim {
namespace {

constexpr double kBaseHalf_m = 0.026;
constexpr double kBaseHalfHeight_m = 0.02;
constexpr double kOnBase_m = 0.022;       // of the cube's middle from the base's, seen from above
constexpr double kRestsWithin_m = 0.005;  // of the height at which it lies on the base
constexpr double kStackHover_m = 0.054;
constexpr double kStackLift_m = 0.055;
// Of the tip when it lets go, above where it took the cube: closing fingers raise the cube by 6 mm.
constexpr double kRelease_m = 2 * kBaseHalfHeight_m - 0.002;
constexpr int kSettleFrames = 1;          // a cube that is let go of on the way flies on by 2 cm
constexpr double kNearestBase_m = 0.095;  // the open fingers reach 5 cm to each side
constexpr double kFarthestBase_m = 0.115;
constexpr double kStackReach_m = 0.10;  // both lie within, along x and y

class StackBlocks : public Task {
 public:
  std::string Name() const override { return "stack_blocks"; }

  std::vector<std::string> Phrasings() const override {
    return {"stack the {} block on the white block", "put the {} block on top of the white one",
            "place the {} block onto the white block"};
  }

  void AddObjects(mjsBody* world) const override {
    AddCube(world);
    AddBlock(world, {.name = "base",
                     .size = {kBaseHalf_m, kBaseHalf_m, kBaseHalfHeight_m},
                     .colour = {0.95f, 0.95f, 0.95f},
                     .mass_kg = 0.2})
        ->friction[0] = 1.0;
  }

  void Draw(const NamedColour& colour, const Rigid3d&, Rng& rng,
            SceneLayout& layout) const override {
    double x = 0, y = 0, base_x = 0, base_y = 0;
    bool inside = false;
    while (!inside) {
      const double way_rad = rng.Uniform(-std::numbers::pi, std::numbers::pi);
      const double distance_m = rng.Uniform(kNearestBase_m, kFarthestBase_m);
      x = rng.Uniform(-kStackReach_m, kStackReach_m);
      y = rng.Uniform(-kStackReach_m, kStackReach_m);
      base_x = x + distance_m * std::cos(way_rad);
      base_y = y + distance_m * std::sin(way_rad);
      inside = std::abs(base_x) < kStackReach_m && std::abs(base_y) < kStackReach_m;
    }
    const Eigen::Vector3d& c = kWorkspaceCentre;
    layout.bodies.push_back(
        {"cube", OnTable(c.x() + x, c.y() + y, kCubeHalf_m, rng.Uniform(-0.61, 0.61))});
    layout.bodies.push_back({"base", OnTable(c.x() + base_x, c.y() + base_y, kBaseHalfHeight_m,
                                             rng.Uniform(-0.61, 0.61))});
    layout.colours.push_back({"cube", colour.rgb});
  }

  // Held by the fingers it is not stacked yet.
  bool Satisfied(const mjModel* model, const mjData* data) const override {
    const Eigen::Vector3d above = WorldFromBody(model, data, "cube").translation -
                                  WorldFromBody(model, data, "base").translation;
    return above.head<2>().norm() < kOnBase_m &&
           std::abs(above.z() - kBaseHalfHeight_m - kCubeHalf_m) < kRestsWithin_m &&
           Touching(model, data, "cube", "base") && FingersOnCube(model, data) == 0;
  }

  std::vector<Waypoint> Plan(const mjModel* model, const mjData* data,
                             const Rigid3d&) const override {
    const Rigid3d world_from_cube = WorldFromBody(model, data, "cube");
    const Rigid3d world_from_goal = {world_from_cube.rotation,
                                     WorldFromBody(model, data, "base").translation};
    const Rigid3d release = AboveCube(world_from_goal, kCubeGraspHeight_m + kRelease_m);
    std::vector<Waypoint> waypoints = GraspCube(world_from_cube, kStackHover_m);
    waypoints.push_back(
        {.world_from_tool = AboveCube(world_from_cube, kCubeGraspHeight_m + kStackLift_m),
         .gripper_open = false});
    waypoints.push_back(
        {.world_from_tool = release, .gripper_open = false, .wait_frames = kSettleFrames});
    waypoints.push_back({.world_from_tool = release});  // lets go, for as long as a goal is held
    return waypoints;
  }
};

}  // namespace

std::unique_ptr<Task> MakeStackBlocks() { return std::make_unique<StackBlocks>(); }

}  // namespace aim
