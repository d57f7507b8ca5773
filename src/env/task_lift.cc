// pick_and_lift: grasp the cube of the named colour and lift it.
#include "env/scene_spec.h"
#include "env/task.h"

namespace aim {
namespace {

constexpr double kHalf_m = 0.02;
constexpr double kLifted_m = 0.08;  // of the cube's middle above where it lay
constexpr double kLift_m = 0.12;    // what the expert lifts
constexpr double kLiftHover_m = 0.075;
constexpr double kGraspHeight_m = 0.014;

// Do both fingers touch the cube?
bool Grasped(const mjModel* model, const mjData* data) {
  const int cube = FindId(model, mjOBJ_GEOM, "cube");
  const int left = FindId(model, mjOBJ_GEOM, "left_finger_pad");
  const int right = FindId(model, mjOBJ_GEOM, "right_finger_pad");
  bool touches_left = false;
  bool touches_right = false;
  for (int i = 0; i < data->ncon; ++i) {
    const int* geom = data->contact[i].geom;
    if (geom[0] != cube && geom[1] != cube) continue;
    const int other = geom[0] == cube ? geom[1] : geom[0];
    touches_left |= other == left;
    touches_right |= other == right;
  }
  return touches_left && touches_right;
}

class PickAndLift : public Task {
 public:
  std::string Name() const override { return "pick_and_lift"; }

  std::vector<std::string> Phrasings() const override {
    return {"pick up the {} block and lift it up", "grasp the {} block and lift it",
            "lift the {} block up"};
  }

  void AddObjects(mjsBody* world) const override {
    mjsBody* cube = AddBody(world, "cube");
    mjs_addFreeJoint(cube);
    mjsGeom* geom = AddGeom(cube, {.name = "cube",
                                   .size = {kHalf_m, kHalf_m, kHalf_m},
                                   .touch = Touch::kMovable,
                                   .mass_kg = 0.08});
    geom->condim = 4;
    geom->friction[0] = 1.0;
  }

  void Draw(const NamedColour& colour, const Rigid3d&, Rng& rng,
            SceneLayout& layout) const override {
    const double x = kWorkspaceCentre.x() + rng.Uniform(-0.11, 0.11);
    const double y = kWorkspaceCentre.y() + rng.Uniform(-0.11, 0.11);
    layout.bodies.push_back({"cube", OnTable(x, y, kHalf_m, rng.Uniform(-0.61, 0.61))});
    layout.colours.push_back({"cube", colour.rgb});
  }

  bool Satisfied(const mjModel* model, const mjData* data) const override {
    const double height_m = WorldFromBody(model, data, "cube").translation.z();
    return height_m > kHalf_m + kLifted_m && Grasped(model, data);
  }

  std::vector<Waypoint> Plan(const mjModel* model, const mjData* data,
                             const Rigid3d&) const override {
    const Rigid3d world_from_cube = WorldFromBody(model, data, "cube");
    const double yaw_rad = QuarterTurnNearest(YawOf(world_from_cube.rotation));
    const auto at_height = [&](double height_m) {
      Eigen::Vector3d tip = world_from_cube.translation;
      tip.z() = height_m;
      return ToolDown(tip, yaw_rad);
    };
    const Rigid3d grasp = at_height(kGraspHeight_m);
    return {{.world_from_tool = at_height(kLiftHover_m)},
            {.world_from_tool = grasp},
            {.world_from_tool = grasp, .gripper_open = false, .wait_frames = kCloseFrames},
            {.world_from_tool = at_height(kGraspHeight_m + kLift_m), .gripper_open = false}};
  }
};

}  // namespace

std::unique_ptr<Task> MakePickAndLift() { return std::make_unique<PickAndLift>(); }

}  // namespace aim
