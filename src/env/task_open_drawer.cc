// open_drawer: pull the drawer of the named colour open by its handle.
#include "env/cabinet.h"
#include "env/task.h"

namespace aim {
namespace {

constexpr double kHandleMiddle_m = 0.15;  // of the handle, from the cabinet's middle
constexpr double kOpen_m = 0.085;         // open by more counts as open
constexpr double kPull_m = 0.11;          // what the expert pulls
constexpr double kAjar_m = 0.01;          // open by at most so much at the start
constexpr double kHandleHalfLength_m = 0.026;
constexpr double kHandleHalfWidth_m = 0.011;
constexpr double kHandleHalfHeight_m = 0.019;
constexpr double kHandleHeight_m = 0.034;
// Of the grasp before the front: there the hand clears the front when the fingers are that deep.
constexpr double kHandleGraspAhead_m = 0.032;
constexpr double kHandleGraspHeight_m = 0.028;
constexpr double kHandleHover_m = 0.075;

class OpenDrawer : public Task {
 public:
  std::string Name() const override { return "open_drawer"; }

  std::vector<std::string> Phrasings() const override {
    return {"open the {} drawer", "pull the {} drawer open",
            "grip the handle and pull the {} drawer open"};
  }

  // The handle is a fin that the fingers take from both sides: it is pulled by friction.
  void AddObjects(mjsBody* world) const override {
    mjsBody* drawer = AddCabinet(world);
    mjsGeom* handle =
        AddGeom(drawer, {.name = "handle",
                         .position = {kClosedFront_m + kHandleHalfLength_m, 0, kHandleHeight_m},
                         .size = {kHandleHalfLength_m, kHandleHalfWidth_m, kHandleHalfHeight_m},
                         .colour = {0.2f, 0.2f, 0.22f},
                         .touch = Touch::kFixture,
                         .mass_kg = 0.02});
    handle->condim = 4;
    handle->friction[0] = 1.0;
  }

  void Draw(const NamedColour& colour, const Rigid3d&, Rng& rng,
            SceneLayout& layout) const override {
    const double yaw_rad = rng.Uniform(-0.61, 0.61);
    // The middle of the handle's way is placed, not the cabinet.
    const Eigen::Vector3d middle =
        kWorkspaceCentre + Eigen::Vector3d(rng.Uniform(-0.10, 0.10), rng.Uniform(-0.14, 0.14), 0);
    layout.bodies.push_back(PlacedCabinet(middle, kHandleMiddle_m, yaw_rad));
    layout.joints.push_back({"drawer", rng.Uniform(0, kAjar_m)});
    PaintDrawer(colour.rgb, layout);
  }

  bool Satisfied(const mjModel* model, const mjData* data) const override {
    return JointPosition(model, data, "drawer") > kOpen_m;
  }

  std::vector<Waypoint> Plan(const mjModel* model, const mjData* data,
                             const Rigid3d&) const override {
    const Rigid3d world_from_drawer = WorldFromBody(model, data, "drawer");
    const double yaw_rad = YawOf(world_from_drawer.rotation);
    const auto tool = [&](double pulled_m, double z_m) {
      const Eigen::Vector3d tip_in_drawer(kClosedFront_m + kHandleGraspAhead_m + pulled_m, 0, z_m);
      return ToolDown(world_from_drawer * tip_in_drawer, yaw_rad);
    };
    const Rigid3d grasp = tool(0, kHandleGraspHeight_m);
    return {{.world_from_tool = tool(0, kHandleHover_m)},
            {.world_from_tool = grasp},
            {.world_from_tool = grasp, .gripper_open = false, .wait_frames = kCloseFrames},
            {.world_from_tool = tool(kPull_m, kHandleGraspHeight_m), .gripper_open = false}};
  }
};

}  // namespace

std::unique_ptr<Task> MakeOpenDrawer() { return std::make_unique<OpenDrawer>(); }

}  // namespace aim
