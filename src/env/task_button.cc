// push_button: press the cap of the named colour.
#include "env/scene_spec.h"
#include "env/task.h"

namespace aim {
namespace {

constexpr double kBaseHeight_m = 0.026;
constexpr double kCapRise_m = 0.032;  // of the cap's top above the base
constexpr double kTravel_m = 0.027;
constexpr double kPressed_m = 0.010;     // counts as pressed
constexpr double kPressDepth_m = 0.025;  // what the expert presses
constexpr double kButtonHover_m = 0.03;

class PushButton : public Task {
 public:
  std::string Name() const override { return "push_button"; }

  std::vector<std::string> Phrasings() const override {
    return {"push the {} button", "press the {} button", "push down the {} button"};
  }

  void AddObjects(mjsBody* world) const override {
    mjsBody* button = AddBody(world, "button");
    AddGeom(button, {.name = "button_base",
                     .position = {0, 0, kBaseHeight_m / 2},
                     .size = {0.05, 0.05, kBaseHeight_m / 2},
                     .colour = {0.2f, 0.2f, 0.22f},
                     .touch = Touch::kFixture});
    mjsBody* cap = AddBody(button, "cap");
    cap->pos[2] = kBaseHeight_m + kCapRise_m;  // the body's origin is the top
    AddGeom(cap, {.name = "cap",
                  .type = mjGEOM_CYLINDER,
                  .position = {0, 0, -kCapRise_m / 2},
                  .size = {0.032, kCapRise_m / 2, 0},
                  .touch = Touch::kFixture,
                  .mass_kg = 0.03});
    AddJoint(cap, {.name = "cap",
                   .lowest = -kTravel_m,
                   .highest = 0,
                   .stiffness = 100,
                   .damping = 2,
                   .armature = 0.01});
  }

  void Draw(const NamedColour& colour, const Rigid3d&, Rng& rng,
            SceneLayout& layout) const override {
    const double x = kWorkspaceCentre.x() + rng.Uniform(-0.12, 0.12);
    const double y = kWorkspaceCentre.y() + rng.Uniform(-0.12, 0.12);
    layout.bodies.push_back({"button", OnTable(x, y, 0, rng.Uniform(-0.6, 0.6))});
    layout.colours.push_back({"cap", colour.rgb});
  }

  bool Satisfied(const mjModel* model, const mjData* data) const override {
    return JointPosition(model, data, "cap") < -kPressed_m;
  }

  std::vector<Waypoint> Plan(const mjModel* model, const mjData* data,
                             const Rigid3d& world_from_start) const override {
    const Eigen::Vector3d top = WorldFromBody(model, data, "cap").translation;
    const auto at_height = [&](double height_m) -> Waypoint {
      const Eigen::Vector3d tip = top + Eigen::Vector3d(0, 0, height_m);
      return {.world_from_tool = ToolDownNear(tip, world_from_start.rotation),
              .gripper_open = false};
    };
    return {at_height(kButtonHover_m), at_height(-kPressDepth_m)};
  }
};

}  // namespace

std::unique_ptr<Task> MakePushButton() { return std::make_unique<PushButton>(); }

}  // namespace aim
