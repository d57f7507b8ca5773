// The calibration that Env reports is the one its pictures are drawn with.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <optional>
#include <vector>

#include "aim/base/rng.h"
#include "aim/codec/action_image.h"
#include "aim/env/tabletop.h"
#include "env/scene_renderer.h"
#include "env/task.h"

namespace aim {
namespace {

struct Case {
  int size;
  double radius_m;
};

class CalibrationTest : public ::testing::TestWithParam<Case> {};

// Middle of the magenta pixels, edge coordinates. Empty if there are fewer than 4.
std::optional<Eigen::Vector2d> MagentaCentre(const std::vector<uint8_t>& rgb, int size) {
  Eigen::Vector2d sum = Eigen::Vector2d::Zero();
  int count = 0;
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column) {
      const uint8_t* pixel = rgb.data() + 3 * (row * size + column);
      if (pixel[0] > 90 && pixel[2] > 90 && pixel[1] < 60) {
        sum += Eigen::Vector2d(column + 0.5, row + 0.5);
        ++count;
      }
    }
  }
  if (count < 4) return std::nullopt;
  return sum / count;
}

TEST_P(CalibrationTest, ASphereIsDrawnWhereItProjects) {
  const auto [size, radius_m] = GetParam();
  const auto task = MakeReachTarget();
  GlContext context;
  const ModelPtr model = BuildModel(*task, AIM_TEST_PANDA_DIR, Look::kFast, size);
  const DataPtr data(mj_makeData(model.get()));
  SceneRenderer renderer(model.get(), Look::kFast, context);
  model->geom_size[3 * FindId(model.get(), mjOBJ_GEOM, "target")] = radius_m;
  std::vector<uint8_t> rgb(static_cast<size_t>(3 * size * size));
  int num_seen = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed);
    SceneLayout layout;
    // The arm stands upright at the zero of its joints and hides nothing.
    const Eigen::Vector3d centre(rng.Uniform(0.4, 0.6), rng.Uniform(-0.12, 0.12),
                                 rng.Uniform(0.03, 0.15));
    layout.bodies = {{"target", {Eigen::Quaterniond::Identity(), centre}},
                     {"distractor0", {Eigen::Quaterniond::Identity(), {-1, 0, 0}}},
                     {"distractor1", {Eigen::Quaterniond::Identity(), {-1, 1, 0}}}};
    layout.colours = {{"target", {1, 0, 1}}};
    DrawSurroundings(0, rng, layout);
    mj_resetData(model.get(), data.get());
    ApplyLayout(layout, model.get(), data.get());
    mj_forward(model.get(), data.get());
    for (int view = 0; view < kNumViews; ++view) {
      renderer.RenderInto(data.get(), size, {{view, rgb}});
      const auto seen = MagentaCentre(rgb, size);
      if (!seen) continue;
      ++num_seen;
      const Camera camera = CameraOfView(model.get(), data.get(), view, size);
      const auto projected = Project(camera, centre);
      ASSERT_TRUE(projected.has_value());
      EXPECT_LT((*seen - projected->uv).norm(), 0.5) << "seed " << seed << " view " << view;
    }
  }
  EXPECT_GT(num_seen, 30);
}

INSTANTIATE_TEST_SUITE_P(Sizes, CalibrationTest,
                         ::testing::Values(Case{64, 0.03}, Case{97, 0.02}, Case{512, 0.008}),
                         [](const auto& c) { return "Pixels" + std::to_string(c.param.size); });

double ElevationDeg(const Camera& camera) {
  const Eigen::Vector3d forward = camera.world_from_camera.rotation * Eigen::Vector3d::UnitZ();
  return std::asin(-forward.z()) / kDegree;
}

// Another rig of cameras on the same scene.
TEST(CameraRaise, MakesBothViewsSteeperAndChangesNothingElse) {
  const Clip usual = MakeTabletop({})->Demo("push_button", 2, 7).clip;
  const Clip raised = MakeTabletop({.camera_raise_deg = 20})->Demo("push_button", 2, 7).clip;
  EXPECT_EQ(raised.prompt, usual.prompt);
  ASSERT_EQ(raised.poses.size(), usual.poses.size());
  EXPECT_EQ(Difference(raised.poses.back(), usual.poses.back()).position_m, 0);
  for (size_t view = 0; view < usual.views.size(); ++view) {
    const Camera& before = usual.views[view].camera.at(0);
    const Camera& after = raised.views[view].camera.at(0);
    EXPECT_NEAR(ElevationDeg(after) - ElevationDeg(before), 20, 1e-9) << "view " << view;
    EXPECT_EQ(after.fx, before.fx);
    EXPECT_NE(raised.views[view].rgb, usual.views[view].rgb) << "view " << view;
  }
}

// The decoder needs the three anchors inside the pictures.
TEST(Anchors, AreInsideBothPicturesInNearlyAllFrames) {
  const auto env = MakeTabletop({});
  int inside = 0;
  int total = 0;
  for (const std::string& task : env->Tasks()) {
    for (uint64_t seed = 0; seed < 6; ++seed) {
      const Clip clip = env->Demo(task, static_cast<int>(seed), seed).clip;
      for (const ToolPose& pose : clip.poses) {
        bool all = true;
        for (const ClipView& view : clip.views) {
          const Camera& camera = view.camera.at(0);
          for (const Eigen::Vector3d& anchor : AnchorPoints(pose)) {
            const auto p = Project(camera, anchor);
            all = all && p && p->uv.minCoeff() >= 0 && p->uv.maxCoeff() <= camera.width;
          }
        }
        inside += all;
        ++total;
      }
    }
  }
  EXPECT_GE(inside, 0.98 * total) << inside << " of " << total;
}

}  // namespace
}  // namespace aim
