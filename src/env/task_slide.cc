// slide_block_to_target: push the block onto the square of the named colour.
#include <cmath>
#include <numbers>

#include "env/scene_spec.h"
#include "env/task.h"

namespace aim {
namespace {

constexpr double kBlockHalf_m = 0.03;
constexpr double kBlockHalfHeight_m = 0.022;
constexpr double kOnTarget_m = 0.04;  // of the block's middle from the target's
constexpr double kSlideClearance_m = 0.018;
constexpr double kGlide_m = 0.005;  // the block glides on when the finger stops
constexpr double kSlideHover_m = 0.08;
constexpr double kSlidePushHeight_m = 0.018;
constexpr double kApproach_m = kBlockHalf_m + kFingerHalfDepth_m + kSlideClearance_m;
constexpr double kApproachReach_m = 0.13;  // towards the robot
constexpr double kReach_m = 0.13;          // block and target lie within, along x and y

class SlideBlock : public Task {
 public:
  std::string Name() const override { return "slide_block_to_target"; }

  std::vector<std::string> Phrasings() const override {
    return {"slide the block to the {} target", "slide the block onto the {} square",
            "push the block until it is sitting on top of the {} target",
            "cover the {} target with the block"};
  }

  void AddObjects(mjsBody* world) const override {
    AddGeom(AddBody(world, "target"),
            {.name = "target", .position = {0, 0, 0.001}, .size = {0.05, 0.05, 0.001}});
    mjsGeom* geom = AddBlock(world, {.name = "block",
                                     .size = {kBlockHalf_m, kBlockHalf_m, kBlockHalfHeight_m},
                                     .colour = {1.0f, 0.5f, 0.0f},
                                     .mass_kg = 0.15});
    // Finger and table both rub on the block: with a product of the two coefficients near 1 a push
    // that sags would jam it.
    geom->priority = 1;
    geom->friction[0] = 0.6;
  }

  void Draw(const NamedColour& colour, const Rigid3d&, Rng& rng,
            SceneLayout& layout) const override {
    // A face of the block always looks towards the target.
    const double yaw_rad = rng.Uniform(-0.61, 0.61);
    double x = 0, y = 0, target_x = 0, target_y = 0;
    bool inside = false;
    while (!inside) {
      const double way_rad =
          yaw_rad + static_cast<double>(rng.UniformInt(4)) * std::numbers::pi / 2;
      const double distance_m = rng.Uniform(0.10, 0.14);
      x = rng.Uniform(-kReach_m, kReach_m);
      y = rng.Uniform(-kReach_m, kReach_m);
      target_x = x + distance_m * std::cos(way_rad);
      target_y = y + distance_m * std::sin(way_rad);
      // Too close to its base the arm cannot get behind the block.
      const double start_x = x - kApproach_m * std::cos(way_rad);
      inside = std::abs(target_x) < kReach_m && std::abs(target_y) < kReach_m &&
               start_x > -kApproachReach_m;
    }
    const Eigen::Vector3d& c = kWorkspaceCentre;
    layout.bodies.push_back({"block", OnTable(c.x() + x, c.y() + y, kBlockHalfHeight_m, yaw_rad)});
    layout.bodies.push_back({"target", OnTable(c.x() + target_x, c.y() + target_y, 0, yaw_rad)});
    layout.colours.push_back({"target", colour.rgb});
  }

  bool Satisfied(const mjModel* model, const mjData* data) const override {
    const Eigen::Vector3d block = WorldFromBody(model, data, "block").translation;
    const Eigen::Vector3d target = WorldFromBody(model, data, "target").translation;
    return (block - target).head<2>().norm() < kOnTarget_m;
  }

  std::vector<Waypoint> Plan(const mjModel* model, const mjData* data,
                             const Rigid3d&) const override {
    const Eigen::Vector3d block = WorldFromBody(model, data, "block").translation;
    const Eigen::Vector3d target = WorldFromBody(model, data, "target").translation;
    Eigen::Vector3d way = target - block;
    way.z() = 0;
    way.normalize();
    const double yaw_rad = QuarterTurnNearest(std::atan2(way.y(), way.x()));
    const double behind_m = kBlockHalf_m + kFingerHalfDepth_m;
    const auto tool = [&](const Eigen::Vector3d& middle, double back_m, double z_m) -> Waypoint {
      Eigen::Vector3d tip = middle - back_m * way;
      tip.z() = z_m;
      return {.world_from_tool = ToolDown(tip, yaw_rad), .gripper_open = false};
    };
    return {tool(block, kApproach_m, kSlideHover_m), tool(block, kApproach_m, kSlidePushHeight_m),
            tool(target, behind_m + kGlide_m, kSlidePushHeight_m)};
  }
};

}  // namespace

std::unique_ptr<Task> MakeSlideBlock() { return std::make_unique<SlideBlock>(); }

}  // namespace aim
