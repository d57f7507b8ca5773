// close_drawer: push the drawer of the named colour shut.
#include "env/scene_spec.h"
#include "env/task.h"

namespace aim {
namespace {

// The cabinet's frame: origin on the table below its middle, x the way the drawer opens.
constexpr double kHalfDepth_m = 0.065;
constexpr double kHalfWidth_m = 0.07;
constexpr double kHeight_m = 0.07;
constexpr double kWall_m = 0.004;         // half thickness
constexpr double kClosedFront_m = 0.077;  // outer face of the closed drawer's front
constexpr double kClosed_m = 0.015;       // open by less counts as closed
constexpr double kDrawerClearance_m = 0.02;
constexpr double kDrawerHover_m = 0.09;
constexpr double kDrawerPushHeight_m = 0.03;

void AddCabinet(mjsBody* cabinet) {
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

class CloseDrawer : public Task {
 public:
  std::string Name() const override { return "close_drawer"; }

  std::vector<std::string> Phrasings() const override {
    return {"close the {} drawer", "shut the {} drawer", "slide the {} drawer shut"};
  }

  void AddObjects(mjsBody* world) const override {
    mjsBody* cabinet = AddBody(world, "cabinet");
    AddCabinet(cabinet);
    mjsBody* drawer = AddBody(cabinet, "drawer");
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
    AddSlide(drawer);
  }

  void Draw(const NamedColour& colour, const Rigid3d&, Rng& rng,
            SceneLayout& layout) const override {
    const double yaw_rad = rng.Uniform(-0.61, 0.61);
    // The middle of the drawer's way is placed, not the cabinet.
    const Eigen::Vector3d middle =
        kWorkspaceCentre + Eigen::Vector3d(rng.Uniform(-0.06, 0.07), rng.Uniform(-0.09, 0.09), 0);
    const Rigid3d yaw = OnTable(0, 0, 0, yaw_rad);
    const Eigen::Vector3d cabinet = middle - yaw * Eigen::Vector3d(0.13, 0, 0);
    layout.bodies.push_back({"cabinet", {yaw.rotation, cabinet}});
    layout.joints.push_back({"drawer", rng.Uniform(0.08, 0.12)});
    for (const char* board :
         {"drawer_front", "drawer_left", "drawer_right", "drawer_back", "drawer_bottom"}) {
      layout.colours.push_back({board, colour.rgb});
    }
  }

  bool Satisfied(const mjModel* model, const mjData* data) const override {
    const int joint = FindId(model, mjOBJ_JOINT, "drawer");
    return data->qpos[model->jnt_qposadr[joint]] < kClosed_m;
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

 private:
  static void AddSlide(mjsBody* drawer) {
    mjsJoint* slide = mjs_addJoint(drawer, nullptr);
    mjs_setName(slide->element, "drawer");
    slide->type = mjJNT_SLIDE;
    slide->axis[0] = 1;
    slide->axis[1] = 0;
    slide->axis[2] = 0;
    slide->limited = mjLIMITED_TRUE;
    slide->range[0] = 0;
    slide->range[1] = 0.125;
    slide->damping = 4;
    slide->frictionloss = 3;
  }
};

}  // namespace

std::unique_ptr<Task> MakeCloseDrawer() { return std::make_unique<CloseDrawer>(); }

}  // namespace aim
