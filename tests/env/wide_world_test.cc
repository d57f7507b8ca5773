// More of the world than the shipped model has seen: cameras from wide ranges, colours,
// distractors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "aim/codec/action_image.h"
#include "aim/env/simulator.h"
#include "aim/env/tabletop.h"
#include "env/distractors.h"
#include "env/scene_cameras.h"
#include "env/task.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using ::testing::HasSubstr;

SceneLayout Drawn(CameraRange range, uint64_t seed) {
  SceneLayout layout;
  PlaceCameras({.range = range}, Rng(seed), layout);
  return layout;
}

// Towards the camera.
Eigen::Vector3d Back(const Rigid3d& world_from_gl_camera) {
  return world_from_gl_camera.rotation * Eigen::Vector3d::UnitZ();
}

double AzimuthDeg(const Rigid3d& camera) {
  return std::atan2(Back(camera).y(), Back(camera).x()) / kDegree;
}

bool IsHeldOut(const Rigid3d& camera) {
  const double side_deg = std::abs(AzimuthDeg(camera));
  return side_deg >= kHeldOutFrom_deg && side_deg < kHeldOutTo_deg;
}

class CameraRangeTest : public ::testing::TestWithParam<CameraRange> {};
INSTANTIATE_TEST_SUITE_P(Ranges, CameraRangeTest,
                         ::testing::Values(CameraRange::kWide, CameraRange::kHeldOut),
                         [](const auto& range) {
                           return range.param == CameraRange::kWide ? "Wide" : "HeldOut";
                         });

TEST_P(CameraRangeTest, CamerasLieInsideApartAndTheBandIsNeverDrawnInTraining) {
  for (uint64_t seed = 0; seed < 5000; ++seed) {
    const SceneLayout layout = Drawn(GetParam(), seed);
    for (size_t view = 0; view < kNumViews; ++view) {
      const Rigid3d& camera = layout.world_from_gl_camera[view];
      const double elevation_deg = std::asin(Back(camera).z()) / kDegree;
      ASSERT_LE(std::abs(AzimuthDeg(camera)), kWidestAzimuth_deg + 1e-9) << seed;
      ASSERT_GE(elevation_deg, kLowest_deg - 1e-9) << seed;
      ASSERT_LE(elevation_deg, kHighest_deg + 1e-9) << seed;
      ASSERT_GE(layout.fovy_deg[view], kNarrowestFovy_deg) << seed;
      ASSERT_LE(layout.fovy_deg[view], kWidestFovy_deg) << seed;
      ASSERT_EQ(IsHeldOut(camera), GetParam() == CameraRange::kHeldOut) << seed;
    }
    const double apart =
        Back(layout.world_from_gl_camera[0]).dot(Back(layout.world_from_gl_camera[1]));
    ASSERT_LE(apart, std::cos(kLeastApart_deg * kDegree) + 1e-12) << seed;
  }
}

// Neither camera keeps to a side: both reach all of the range, whatever the other does.
TEST(WideCameras, AreIndependentAndFillTheirRange) {
  std::set<std::pair<int, int>> seen;  // thirds of both azimuths
  const auto third = [](double azimuth_deg) {
    return static_cast<int>((azimuth_deg + kWidestAzimuth_deg) / (2 * kWidestAzimuth_deg) * 3);
  };
  double least_elevation = 90, most_elevation = 0, least_fovy = 180, most_fovy = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const SceneLayout layout = Drawn(CameraRange::kWide, seed);
    const auto& cameras = layout.world_from_gl_camera;
    seen.insert({third(AzimuthDeg(cameras[0])), third(AzimuthDeg(cameras[1]))});
    const double elevation_deg = std::asin(Back(cameras[1]).z()) / kDegree;
    least_elevation = std::min(least_elevation, elevation_deg);
    most_elevation = std::max(most_elevation, elevation_deg);
    least_fovy = std::min(least_fovy, layout.fovy_deg[1]);
    most_fovy = std::max(most_fovy, layout.fovy_deg[1]);
  }
  EXPECT_EQ(seen.size(), 9U);
  EXPECT_LT(least_elevation, kLowest_deg + 3);
  EXPECT_GT(most_elevation, kHighest_deg - 3);
  EXPECT_LT(least_fovy, kNarrowestFovy_deg + 3);
  EXPECT_GT(most_fovy, kWidestFovy_deg - 3);
}

bool AllInside(const std::vector<Eigen::Vector3d>& points, const Clip& clip) {
  return std::all_of(clip.views.begin(), clip.views.end(), [&](const ClipView& view) {
    return std::all_of(points.begin(), points.end(), [&](const Eigen::Vector3d& point) {
      const auto p = Project(view.camera.at(0), point);
      return p && p->uv.minCoeff() >= 0 && p->uv.maxCoeff() <= clip.width;
    });
  });
}

// As with the usual cameras: the decoder needs the three anchors inside the pictures.
TEST_P(CameraRangeTest, EverythingOfASceneIsInView) {
  const auto env = MakeTabletop({});
  env->PlaceCameras({.range = GetParam()});
  int inside = 0, total = 0;
  for (const std::string& task : env->Tasks()) {
    for (uint64_t seed = 0; seed < 40; ++seed) {
      const Demonstration plan = env->Plan(task, static_cast<int>(seed % 6), seed);
      for (const ToolPose& pose : plan.commands) {
        const auto anchors = AnchorPoints(pose);
        inside += AllInside({anchors.begin(), anchors.end()}, plan.clip);
        ++total;
      }
    }
  }
  EXPECT_GE(inside, 0.98 * total) << inside << " of " << total;
}

// The cameras change, and nothing else of a scene.
TEST_P(CameraRangeTest, TheSceneStaysWhatItWas) {
  const auto env = MakeTabletop({});
  const Demonstration usual = env->Plan("pick_and_lift", 3, 8);
  env->PlaceCameras({.range = GetParam()});
  const Demonstration ranged = env->Plan("pick_and_lift", 3, 8);
  EXPECT_EQ(ranged.clip.prompt, usual.clip.prompt);
  ASSERT_EQ(ranged.commands.size(), usual.commands.size());
  EXPECT_EQ(Difference(ranged.commands.back(), usual.commands.back()).position_m, 0);
  EXPECT_FALSE(ranged.clip.views[0].rgb == usual.clip.views[0].rgb);
  env->PlaceCameras({});
  EXPECT_TRUE(env->Plan("pick_and_lift", 3, 8).clip.views[0].rgb == usual.clip.views[0].rgb);
}

TEST(WideCameras, HaveElevationsOfTheirOwn) {
  const auto env = MakeTabletop({.camera_raise_deg = 5});
  ExpectThrowsWith<ConfigError>([&] { env->PlaceCameras({.range = CameraRange::kWide}); },
                                {"camera_raise_deg is 5 with --cameras wide"});
}

class DistractorsTest : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Tasks, DistractorsTest,
                         ::testing::Values("reach_target", "push_button", "close_drawer",
                                           "slide_block_to_target", "pick_and_lift", "open_drawer",
                                           "turn_tap", "stack_blocks"),
                         [](const auto& task) { return task.param; });

// They are only seen: what the expert does and what comes of it is what it was without.
TEST_P(DistractorsTest, ChangeThePicturesAndNothingElse) {
  const auto plain = MakeTabletop({});
  const auto full = MakeTabletop({}, {.distractors = 4});
  EXPECT_THAT(full->Identity().settings, ::testing::Contains(std::pair("distractors", "4")));
  EXPECT_TRUE(plain->Identity().settings.empty());
  int num_other = 0;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const int variation = static_cast<int>(seed % 6);
    const Demonstration without = plain->Demo(GetParam(), variation, seed);
    const Demonstration with = full->Demo(GetParam(), variation, seed);
    EXPECT_EQ(with.clip.prompt, without.clip.prompt);
    EXPECT_EQ(with.success, without.success) << seed;
    ASSERT_EQ(with.clip.poses.size(), without.clip.poses.size());
    EXPECT_LT(Difference(with.clip.poses.back(), without.clip.poses.back()).position_m, 1e-9);
    num_other += with.clip.views[0].rgb != without.clip.views[0].rgb;
    EXPECT_TRUE(full->Demo(GetParam(), variation, seed).clip.views[0].rgb ==
                with.clip.views[0].rgb);
    EXPECT_FALSE(full->RenderReport(0, 48).empty());
  }
  EXPECT_GE(num_other, 3);
}

// Between none and all, apart from each other and from the fingers' way, never in the colour that
// the prompt names.
TEST(Distractors, LieBesideEverythingElse) {
  const auto task = MakePickAndLift();
  const ModelPtr model = BuildModel(*task, AIM_TEST_PANDA_DIR, Look::kFast, 64, kMostDistractors);
  const DataPtr data(mj_makeData(model.get()));
  std::set<size_t> counts;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    SceneLayout scene;
    task->Draw(kColours[1], ToolDown({0.5, 0, 0.2}, 0), rng, scene);
    mj_resetData(model.get(), data.get());
    ApplyLayout(scene, model.get(), data.get());
    mj_forward(model.get(), data.get());
    const Eigen::Vector2d cube =
        WorldFromBody(model.get(), data.get(), "cube").translation.head<2>();
    const std::vector<ToolPose> commands = {{ToolDown({0.5, 0.1, 0.02}, 0), 1.0}};
    SceneLayout things;
    DrawDistractors(model.get(), data.get(), commands, kColours[1], kMostDistractors, rng, things);
    ASSERT_EQ(things.bodies.size(), static_cast<size_t>(kMostDistractors));
    std::vector<Eigen::Vector2d> shown;
    for (const SceneLayout::Body& body : things.bodies) {
      if (body.world_from_body.translation.z() > 0) {
        shown.push_back(body.world_from_body.translation.head<2>());
      }
    }
    counts.insert(shown.size());
    for (size_t i = 0; i < shown.size(); ++i) {
      EXPECT_GT((shown[i] - cube).norm(), 0.05) << seed;
      EXPECT_GT((shown[i] - Eigen::Vector2d(0.5, 0.1)).norm(), 0.05) << seed;
      for (size_t j = 0; j < i; ++j) EXPECT_GT((shown[i] - shown[j]).norm(), 0.05) << seed;
    }
    for (const SceneLayout::Colour& colour : things.colours) {
      const Rgb& named = kColours[1].rgb;
      EXPECT_FALSE(colour.rgb.r == named.r && colour.rgb.g == named.g) << seed;
    }
  }
  EXPECT_EQ(counts.size(), static_cast<size_t>(kMostDistractors) + 1);
}

TEST(MoreColours, AreVariationsBehindTheUsualOnes) {
  const auto usual = MakeTabletop({});
  const auto more = MakeTabletop({}, {.more_colours = true});
  EXPECT_EQ(usual->NumVariations("push_button"), 6);
  EXPECT_EQ(more->NumVariations("push_button"), 12);
  EXPECT_THAT(more->Plan("push_button", 6, 1).clip.prompt, HasSubstr("purple"));
  EXPECT_THAT(more->Plan("push_button", 2, 1).clip.prompt, HasSubstr("blue"));
  EXPECT_TRUE(more->Plan("push_button", 2, 1).clip.views[0].rgb ==
              usual->Plan("push_button", 2, 1).clip.views[0].rgb);
  ExpectThrowsWith<ConfigError>([&] { usual->Reset("push_button", 6, 1); }, {"variation is 6"});
}

TEST(WideWorld, WhatCannotBeIsRefused) {
  ExpectThrowsWith<ConfigError>([] { MakeTabletop({}, {.distractors = 5}); },
                                {"env.distractors is 5", "[0, 4]"});
  ExpectThrowsWith<ConfigError>(
      [] { MakeSimulator({.env = "robosuite", .tabletop = {.distractors = 1}}, {}); },
      {"--distractors", "robosuite"});
  ExpectThrowsWith<ConfigError>(
      [] { RequireOwnOptions({.env = "model", .tabletop = {.more_colours = true}}); },
      {"--more-colours", "model"});
  ExpectThrowsWith<ConfigError>(
      [] { MakeSimulator({.env = "robosuite", .tabletop = {.more_colours = true}}, {}); },
      {"--more-colours", "robosuite"});
}

// Sets AIM_EGL_DEVICE while it lives.
class EglDevice {
 public:
  explicit EglDevice(const char* value) { setenv("AIM_EGL_DEVICE", value, 1); }
  ~EglDevice() { unsetenv("AIM_EGL_DEVICE"); }
  EglDevice(const EglDevice&) = delete;
  EglDevice& operator=(const EglDevice&) = delete;
};

// A chosen device draws all views side by side, which moves a pixel here and there at edges.
TEST(EglDevices, AChosenOneDrawsTheSameScene) {
  const Clip usual = MakeTabletop({})->Plan("close_drawer", 2, 7).clip;
  const EglDevice device("0");
  const Clip chosen = MakeTabletop({})->Plan("close_drawer", 2, 7).clip;
  for (size_t view = 0; view < usual.views.size(); ++view) {
    const std::vector<uint8_t>& before = usual.views[view].rgb;
    const std::vector<uint8_t>& after = chosen.views[view].rgb;
    ASSERT_EQ(before.size(), after.size());
    size_t num_other = 0;
    for (size_t i = 0; i < before.size(); ++i) num_other += std::abs(before[i] - after[i]) > 8;
    EXPECT_LT(num_other, before.size() / 50) << "view " << view;
  }
}

TEST(EglDevices, OneThatIsNotThereIsNamed) {
  for (const char* wish : {"99", "-1", "x", "", "0x"}) {
    const EglDevice device(wish);
    ExpectThrowsWith<ConfigError>([] { MakeTabletop({}); },
                                  {"AIM_EGL_DEVICE", std::string("\"") + wish + "\"", "a number"});
  }
}

}  // namespace
}  // namespace aim
