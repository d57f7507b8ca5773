// pick_and_lift: grasp the cube of the named colour and lift it.
#include "env/cube.h"

namespace aim {
namespace {

constexpr double kLifted_m = 0.08;  // of the cube's middle above where it lay
constexpr double kLift_m = 0.12;    // what the expert lifts
constexpr double kLiftHover_m = 0.075;

class PickAndLift : public Task {
 public:
  std::string Name() const override { return "pick_and_lift"; }

  std::vector<std::string> Phrasings() const override {
    return {"pick up the {} block and lift it up", "grasp the {} block and lift it",
            "lift the {} block up"};
  }

  void AddObjects(mjsBody* world) const override { AddCube(world); }

  void Draw(const NamedColour& colour, const Rigid3d&, Rng& rng,
            SceneLayout& layout) const override {
    const double x = kWorkspaceCentre.x() + rng.Uniform(-0.11, 0.11);
    const double y = kWorkspaceCentre.y() + rng.Uniform(-0.11, 0.11);
    layout.bodies.push_back({"cube", OnTable(x, y, kCubeHalf_m, rng.Uniform(-0.61, 0.61))});
    layout.colours.push_back({"cube", colour.rgb});
  }

  bool Satisfied(const mjModel* model, const mjData* data) const override {
    const double height_m = WorldFromBody(model, data, "cube").translation.z();
    return height_m > kCubeHalf_m + kLifted_m && FingersOnCube(model, data) == 2;
  }

  std::vector<Waypoint> Plan(const mjModel* model, const mjData* data,
                             const Rigid3d&) const override {
    const Rigid3d world_from_cube = WorldFromBody(model, data, "cube");
    std::vector<Waypoint> waypoints = GraspCube(world_from_cube, kLiftHover_m);
    waypoints.push_back(
        {.world_from_tool = AboveCube(world_from_cube, kCubeGraspHeight_m + kLift_m),
         .gripper_open = false});
    return waypoints;
  }
};

}  // namespace

std::unique_ptr<Task> MakePickAndLift() { return std::make_unique<PickAndLift>(); }

}  // namespace aim
