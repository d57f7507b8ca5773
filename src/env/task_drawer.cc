// close_drawer: push the drawer of the named colour shut.
#include "env/cabinet.h"
#include "env/task.h"

namespace aim {
namespace {

constexpr double kDrawerMiddle_m = 0.13;  // from the cabinet's middle
constexpr double kClosed_m = 0.015;       // open by less counts as closed
constexpr double kDrawerClearance_m = 0.02;
constexpr double kDrawerHover_m = 0.09;
constexpr double kDrawerPushHeight_m = 0.03;

class CloseDrawer : public Task {
 public:
  std::string Name() const override { return "close_drawer"; }

  std::vector<std::string> Phrasings() const override {
    return {"close the {} drawer", "shut the {} drawer", "slide the {} drawer shut"};
  }

  void AddObjects(mjsBody* world) const override { AddCabinet(world); }

  void Draw(const NamedColour& colour, const Rigid3d&, Rng& rng,
            SceneLayout& layout) const override {
    const double yaw_rad = rng.Uniform(-0.61, 0.61);
    // The middle of the drawer's way is placed, not the cabinet.
    const Eigen::Vector3d middle =
        kWorkspaceCentre + Eigen::Vector3d(rng.Uniform(-0.06, 0.07), rng.Uniform(-0.09, 0.09), 0);
    layout.bodies.push_back(PlacedCabinet(middle, kDrawerMiddle_m, yaw_rad));
    layout.joints.push_back({"drawer", rng.Uniform(0.08, 0.12)});
    PaintDrawer(colour.rgb, layout);
  }

  bool Satisfied(const mjModel* model, const mjData* data) const override {
    return JointPosition(model, data, "drawer") < kClosed_m;
  }

  std::vector<Waypoint> Plan(const mjModel* model, const mjData* data,
                             const Rigid3d&) const override {
    const Rigid3d world_from_drawer = WorldFromBody(model, data, "drawer");
    const Rigid3d world_from_cabinet = WorldFromBody(model, data, "cabinet");
    const double yaw_rad = YawOf(world_from_cabinet.rotation);
    const double touching_m = kClosedFront_m + kFingerHalfDepth_m;
    const auto tool = [&](const Rigid3d& world_from_box, double x_m, double z_m) -> Waypoint {
      return {.world_from_tool = ToolDown(world_from_box * Eigen::Vector3d(x_m, 0, z_m), yaw_rad),
              .gripper_open = false};
    };
    return {tool(world_from_drawer, touching_m + kDrawerClearance_m, kDrawerHover_m),
            tool(world_from_drawer, touching_m + kDrawerClearance_m, kDrawerPushHeight_m),
            tool(world_from_cabinet, touching_m, kDrawerPushHeight_m)};
  }
};

}  // namespace

std::unique_ptr<Task> MakeCloseDrawer() { return std::make_unique<CloseDrawer>(); }

}  // namespace aim
