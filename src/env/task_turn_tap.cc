// turn_tap: push the lever of the tap of the named colour round until it stands over the spout.
#include <cmath>
#include <numbers>

#include "env/scene_spec.h"
#include "env/task.h"

namespace aim {
namespace {

// The tap's frame: origin on the table below the lever's axis, x the way of the spout. Shut, the
// lever stands a quarter turn before the spout; it is turned against the clock, seen from above.
constexpr double kPostRadius_m = 0.03;
constexpr double kPostHeight_m = 0.058;
constexpr double kSpoutTop_m = 0.042;
constexpr double kSpoutEnd_m = 0.11;
constexpr double kSpoutHalf_m = 0.011;
constexpr double kKnobRadius_m = 0.022;
constexpr double kLeverLength_m = 0.085;
constexpr double kLeverHalfWidth_m = 0.009;
constexpr double kLeverHalfHeight_m = 0.012;
constexpr double kTurnable_rad = 100 * kDegree;
constexpr double kTurned_rad = 60 * kDegree;  // turned by more counts as open
constexpr double kTurn_rad = 85 * kDegree;    // how far the expert turns it
constexpr double kNotShut_rad = 8 * kDegree;  // turned by at most so much at the start
constexpr int kArcSegments = 3;
constexpr double kPushRadius_m = 0.06;  // where the fingers push, from the axis
constexpr double kLeverClearance_m = 0.018;
constexpr double kLeverHover_m = 0.1;
constexpr double kLeverPushHeight_m = 0.06;

class TurnTap : public Task {
 public:
  std::string Name() const override { return "turn_tap"; }

  std::vector<std::string> Phrasings() const override {
    return {"turn the {} tap", "rotate the {} tap", "turn the {} tap on",
            "turn the {} handle over the spout"};
  }

  void AddObjects(mjsBody* world) const override {
    mjsBody* tap = AddBody(world, "tap");
    AddBase(tap);
    mjsBody* lever = AddBody(tap, "lever");
    ToMujoco(OnTable(0, 0, kPostHeight_m + kLeverHalfHeight_m, -std::numbers::pi / 2), lever->pos,
             lever->quat);
    AddGeom(lever, {.name = "knob",
                    .type = mjGEOM_CYLINDER,
                    .size = {kKnobRadius_m, kLeverHalfHeight_m, 0},
                    .touch = Touch::kFixture,
                    .mass_kg = 0.03});
    AddGeom(lever, {.name = "lever",
                    .position = {kLeverLength_m / 2, 0, 0},
                    .size = {kLeverLength_m / 2, kLeverHalfWidth_m, kLeverHalfHeight_m},
                    .touch = Touch::kFixture,
                    .mass_kg = 0.03});
    AddJoint(lever, {.name = "lever",
                     .type = mjJNT_HINGE,
                     .lowest = 0,
                     .highest = kTurnable_rad,
                     .damping = 0.01,
                     .friction_loss = 0.05,
                     .armature = 1e-4});
  }

  void Draw(const NamedColour& colour, const Rigid3d&, Rng& rng,
            SceneLayout& layout) const override {
    const double x = kWorkspaceCentre.x() + rng.Uniform(-0.12, 0.10);
    const double y = kWorkspaceCentre.y() + rng.Uniform(-0.12, 0.12);
    layout.bodies.push_back({"tap", OnTable(x, y, 0, rng.Uniform(-0.61, 0.61))});
    layout.joints.push_back({"lever", rng.Uniform(0, kNotShut_rad)});
    for (const char* part : {"knob", "lever"}) layout.colours.push_back({part, colour.rgb});
  }

  bool Satisfied(const mjModel* model, const mjData* data) const override {
    return JointPosition(model, data, "lever") > kTurned_rad;
  }

  std::vector<Waypoint> Plan(const mjModel* model, const mjData* data,
                             const Rigid3d& world_from_start) const override {
    const Rigid3d world_from_tap = WorldFromBody(model, data, "tap");
    const double start_rad = JointPosition(model, data, "lever");
    // Behind the lever when it is turned by `turned_rad`.
    const auto tool = [&](double turned_rad, double clearance_m, double z_m) -> Waypoint {
      const double behind_m = kLeverHalfWidth_m + kFingerHalfDepth_m + clearance_m;
      const Rigid3d tap_from_lever = OnTable(0, 0, 0, turned_rad - std::numbers::pi / 2);
      const Eigen::Vector3d tip =
          world_from_tap * (tap_from_lever * Eigen::Vector3d(kPushRadius_m, -behind_m, z_m));
      return {.world_from_tool = ToolDownNear(tip, world_from_start.rotation),
              .gripper_open = false};
    };
    std::vector<Waypoint> waypoints = {tool(start_rad, kLeverClearance_m, kLeverHover_m),
                                       tool(start_rad, kLeverClearance_m, kLeverPushHeight_m)};
    for (int segment = 1; segment <= kArcSegments; ++segment) {
      const double turned_rad = start_rad + (kTurn_rad - start_rad) * segment / kArcSegments;
      waypoints.push_back(tool(turned_rad, 0, kLeverPushHeight_m));
    }
    return waypoints;
  }

 private:
  static void AddBase(mjsBody* tap) {
    const Rgb metal{0.34f, 0.35f, 0.38f};
    AddGeom(tap, {.name = "tap_post",
                  .type = mjGEOM_CYLINDER,
                  .position = {0, 0, kPostHeight_m / 2},
                  .size = {kPostRadius_m, kPostHeight_m / 2, 0},
                  .colour = metal,
                  .touch = Touch::kFixture});
    AddGeom(tap, {.name = "tap_spout",
                  .position = {kSpoutEnd_m / 2, 0, kSpoutTop_m - kSpoutHalf_m},
                  .size = {kSpoutEnd_m / 2, kSpoutHalf_m, kSpoutHalf_m},
                  .colour = metal,
                  .touch = Touch::kFixture});
    AddGeom(tap, {.name = "tap_mouth",
                  .position = {kSpoutEnd_m - kSpoutHalf_m, 0, 0.016},
                  .size = {kSpoutHalf_m, kSpoutHalf_m, 0.008},
                  .colour = metal,
                  .touch = Touch::kFixture});
  }
};

}  // namespace

std::unique_ptr<Task> MakeTurnTap() { return std::make_unique<TurnTap>(); }

}  // namespace aim
