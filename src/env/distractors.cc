#include "env/distractors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string_view>

#include "aim/base/error.h"
#include "env/task.h"

namespace aim {
namespace {

constexpr double kMargin_m = 0.012;        // between what lies on the table
constexpr double kReach_m = 0.2;           // along x and y, from the middle of the workspace
constexpr double kLowTool_m = 0.12;        // below it the fingers are among the things
constexpr double kToolClearance_m = 0.03;  // of the closed fingers, all around
constexpr int kMostDraws = 40;
constexpr double kHidden_m = -2;  // below the floor

// As a cube, a button's cap, a ball and a target look.
struct Thing {
  mjtGeom type;
  std::array<double, 3> size_m;
  double radius_m;  // of the circle that it covers
};
constexpr std::array<Thing, kMostDistractors> kThings = {
    {{mjGEOM_BOX, {0.02, 0.02, 0.02}, 0.0283},
     {mjGEOM_CYLINDER, {0.032, 0.02, 0}, 0.032},
     {mjGEOM_SPHERE, {0.028, 0, 0}, 0.028},
     {mjGEOM_BOX, {0.045, 0.045, 0.001}, 0.0637}}};

constexpr const char* kThing = "thing";
std::string NameOf(int thing) { return kThing + std::to_string(thing); }

double HalfHeight(const Thing& thing) {
  const auto [x, y, z] = thing.size_m;
  return thing.type == mjGEOM_BOX ? z : thing.type == mjGEOM_CYLINDER ? y : x;
}

// What is taken of the table, seen from above.
struct Circle {
  Eigen::Vector2d middle;
  double radius_m = 0;
};

// Of everything else that stands or lies on the table, and of the tool's way. Where the things lay
// in the scene before is nothing of this one.
std::vector<Circle> Taken(const mjModel* model, const mjData* data,
                          const std::vector<ToolPose>& commands) {
  std::vector<Circle> taken;
  for (int geom = 0; geom < model->ngeom; ++geom) {
    const bool is_of_task =
        model->geom_group[geom] == kSceneGroup && model->geom_bodyid[geom] > 0 &&
        !std::string_view(mj_id2name(model, mjOBJ_GEOM, geom)).starts_with(kThing);
    const mjtNum* p = data->geom_xpos + 3 * geom;
    if (is_of_task && p[2] > 0) taken.push_back({{p[0], p[1]}, model->geom_rbound[geom]});
  }
  for (const ToolPose& command : commands) {
    const Eigen::Vector3d& tip = command.world_from_tool.translation;
    if (tip.z() < kLowTool_m) taken.push_back({tip.head<2>(), kToolClearance_m});
  }
  return taken;
}

}  // namespace

void AddDistractors(mjsBody* world, int count) {
  AIM_CHECK(count <= kMostDistractors);
  for (int i = 0; i < count; ++i) {
    const Thing& thing = kThings[static_cast<size_t>(i)];
    AddGeom(AddBody(world, NameOf(i)),
            {.name = NameOf(i),
             .type = thing.type,
             .size = {thing.size_m[0], thing.size_m[1], thing.size_m[2]}});
  }
}

void DrawDistractors(const mjModel* model, const mjData* data,
                     const std::vector<ToolPose>& commands, const NamedColour& colour, int count,
                     Rng& rng, SceneLayout& layout) {
  std::vector<Circle> taken = Taken(model, data, commands);
  std::vector<Rgb> colours;
  for (const NamedColour& other : layout.palette) {
    if (other.name != colour.name) colours.push_back(other.rgb);
  }
  const int64_t num_shown = rng.UniformInt(count + 1);
  std::vector<int> left(static_cast<size_t>(count));  // not yet on the table
  for (int i = 0; i < count; ++i) left[static_cast<size_t>(i)] = i;
  for (int64_t shown = 0; shown < num_shown; ++shown) {
    const auto pick = rng.UniformInt(static_cast<int64_t>(left.size()));
    const int which = left[static_cast<size_t>(pick)];
    const Thing& thing = kThings[static_cast<size_t>(which)];
    for (int draw = 0; draw < kMostDraws; ++draw) {
      const Circle place{
          kWorkspaceCentre.head<2>() +
              Eigen::Vector2d(rng.Uniform(-kReach_m, kReach_m), rng.Uniform(-kReach_m, kReach_m)),
          thing.radius_m};
      const double yaw_rad = rng.Uniform(-std::numbers::pi, std::numbers::pi);
      const bool is_free = std::all_of(taken.begin(), taken.end(), [&](const Circle& other) {
        return (place.middle - other.middle).norm() >= place.radius_m + other.radius_m + kMargin_m;
      });
      if (!is_free) continue;
      taken.push_back(place);
      left.erase(left.begin() + pick);
      layout.bodies.push_back(
          {NameOf(which), OnTable(place.middle.x(), place.middle.y(), HalfHeight(thing), yaw_rad)});
      const auto paint = rng.UniformInt(static_cast<int64_t>(colours.size()));
      layout.colours.push_back({NameOf(which), colours[static_cast<size_t>(paint)]});
      break;
    }
  }
  for (const int hidden : left) {
    layout.bodies.push_back({NameOf(hidden), OnTable(0, 0, kHidden_m, 0)});
  }
}

}  // namespace aim
