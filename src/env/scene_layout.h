// What a seed decides about a scene: where things are, their colours, cameras and light.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "aim/base/rng.h"
#include "aim/geometry/rigid3.h"
#include "env/mujoco_handle.h"

namespace aim {

inline constexpr int kNumViews = 2;
inline constexpr double kFovy_deg = 42;
inline constexpr std::array<const char*, kNumViews> kViewNames = {"front_left", "front_right"};

struct Rgb {
  float r = 0;
  float g = 0;
  float b = 0;
};

struct NamedColour {
  const char* name;
  Rgb rgb;
};

// The colours of the variations, RLBench's: six that stay apart in a 64-pixel picture, then those
// that more_colours adds.
inline constexpr std::array<NamedColour, 12> kColours = {{{"red", {1.0f, 0.05f, 0.05f}},
                                                          {"green", {0.0f, 0.75f, 0.1f}},
                                                          {"blue", {0.05f, 0.1f, 1.0f}},
                                                          {"yellow", {1.0f, 0.95f, 0.0f}},
                                                          {"magenta", {1.0f, 0.0f, 1.0f}},
                                                          {"cyan", {0.0f, 0.95f, 1.0f}},
                                                          {"purple", {0.45f, 0.0f, 0.6f}},
                                                          {"lime", {0.65f, 1.0f, 0.2f}},
                                                          {"navy", {0.0f, 0.0f, 0.4f}},
                                                          {"maroon", {0.45f, 0.0f, 0.05f}},
                                                          {"teal", {0.0f, 0.45f, 0.45f}},
                                                          {"rose", {1.0f, 0.55f, 0.7f}}}};
inline constexpr size_t kNumUsualColours = 6;
using Palette = std::span<const NamedColour>;

struct SceneLayout {
  struct Body {
    std::string name;
    Rigid3d world_from_body;  // bodies with a free joint start here, others stay here
  };
  struct Joint {
    std::string name;
    double value = 0;  // of a hinge or slide joint at the start, rad or m
  };
  struct Colour {
    std::string geom;
    Rgb rgb;
  };
  Palette palette = Palette(kColours).first(kNumUsualColours);  // what things may be painted with
  std::vector<Body> bodies;
  std::vector<Joint> joints;
  std::vector<Colour> colours;
  std::array<Rigid3d, kNumViews> world_from_gl_camera;  // x right, y up, looks along -z
  std::array<double, kNumViews> fovy_deg = {kFovy_deg, kFovy_deg};
  Eigen::Vector3d light_direction = -Eigen::Vector3d::UnitZ();
};

// Cameras, light and table colour. The start pose and the objects are drawn elsewhere.
// `camera_raise_deg` is added to the cameras' elevations.
void DrawSurroundings(double camera_raise_deg, Rng& rng, SceneLayout& layout);

// Writes the layout into a model and its freshly reset data. The model may be of either look.
void ApplyLayout(const SceneLayout& layout, mjModel* model, mjData* data);

}  // namespace aim
