// reach_target: bring the tip into the sphere of the named colour.
#include "env/scene_spec.h"
#include "env/task.h"

namespace aim {
namespace {

constexpr double kRadius_m = 0.03;
constexpr double kApart_m = 0.09;  // between spheres, and from the start
const std::vector<std::string> kSpheres = {"target", "distractor0", "distractor1"};

Eigen::Vector3d DrawCentre(Rng& rng) {
  return kWorkspaceCentre + Eigen::Vector3d(rng.Uniform(-0.13, 0.13), rng.Uniform(-0.13, 0.13),
                                            rng.Uniform(0.04, 0.18));
}

class ReachTarget : public Task {
 public:
  std::string Name() const override { return "reach_target"; }

  std::vector<std::string> Phrasings() const override {
    return {"reach the {} target", "touch the {} ball with the panda gripper",
            "reach the {} sphere"};
  }

  void AddObjects(mjsBody* world) const override {
    for (const std::string& name : kSpheres) {
      AddGeom(AddBody(world, name),
              {.name = name, .type = mjGEOM_SPHERE, .size = {kRadius_m, 0, 0}});
    }
  }

  void Draw(const NamedColour& colour, const Rigid3d& world_from_start, Rng& rng,
            SceneLayout& layout) const override {
    std::vector<Eigen::Vector3d> taken = {world_from_start.translation};
    std::vector<Rgb> others;
    for (const NamedColour& other : layout.palette) {
      if (other.name != colour.name) others.push_back(other.rgb);
    }
    for (const std::string& name : kSpheres) {
      Eigen::Vector3d centre;
      bool free = false;
      while (!free) {
        centre = DrawCentre(rng);
        free = true;
        for (const Eigen::Vector3d& other : taken) free &= (centre - other).norm() >= kApart_m;
      }
      taken.push_back(centre);
      layout.bodies.push_back({name, {Eigen::Quaterniond::Identity(), centre}});
      if (name == "target") {
        layout.colours.push_back({name, colour.rgb});
      } else {
        const auto pick = rng.UniformInt(static_cast<int64_t>(others.size()));
        layout.colours.push_back({name, others[static_cast<size_t>(pick)]});
        others.erase(others.begin() + pick);
      }
    }
  }

  bool Satisfied(const mjModel* model, const mjData* data) const override {
    const Eigen::Vector3d centre = WorldFromBody(model, data, "target").translation;
    return (TipPosition(model, data) - centre).norm() < kRadius_m;
  }

  std::vector<Waypoint> Plan(const mjModel* model, const mjData* data,
                             const Rigid3d& world_from_start) const override {
    const Eigen::Vector3d centre = WorldFromBody(model, data, "target").translation;
    return {{.world_from_tool = ToolDownNear(centre, world_from_start.rotation)}};
  }
};

}  // namespace

std::unique_ptr<Task> MakeReachTarget() { return std::make_unique<ReachTarget>(); }

}  // namespace aim
