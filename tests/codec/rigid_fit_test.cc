#include "codec/rigid_fit.h"

#include <gtest/gtest.h>

#include "aim/geometry/symmetric_eigen.h"
#include "codec/fit_problem.h"
#include "codec/rlbench_scene.h"
#include "support/matchers.h"
#include "support/tolerance.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support

constexpr double kGateSquared = kGate * kGate;

std::vector<Camera> RandomRig(int num_views, Rng& rng) {
  return MakeCameraRig({.num_views = num_views}, rng);
}

// A guess as a triangulation gives it: some centimetres and tens of degrees off.
Rigid3d Disturbed(const Rigid3d& world_from_tool, double distance_m, double angle_rad, Rng& rng) {
  const Eigen::AngleAxisd turn(angle_rad, RandomUnitVector(rng));
  return {(world_from_tool.rotation * Eigen::Quaterniond(turn)).normalized(),
          world_from_tool.translation + distance_m * RandomUnitVector(rng)};
}

TEST(FitCameraTest, ProjectsAsTheCameraDoes) {
  Rng rng(1);
  for (const Camera& camera : RandomRig(3, rng)) {
    const Eigen::Vector3d p(rng.Uniform(0, 0.5), rng.Uniform(-0.3, 0.3), rng.Uniform(0.8, 1.3));
    Eigen::Vector2d uv;
    ASSERT_TRUE(FitCamera(camera).Project(p, uv, nullptr));
    EXPECT_THAT(uv, PixelNear(Project(camera, p)->uv, kRoundTripPx));
  }
}

TEST(FitCameraTest, DerivativeIsThatOfTheProjection) {
  Rng rng(2);
  const FitCamera camera(RandomRig(1, rng)[0]);
  const Eigen::Vector3d p(0.3, -0.1, 1.0);
  Eigen::Vector2d uv;
  Eigen::Matrix<double, 2, 3> d_uv;
  ASSERT_TRUE(camera.Project(p, uv, &d_uv));
  constexpr double kStepM = 1e-5;
  for (int axis = 0; axis < 3; ++axis) {
    const Eigen::Vector3d step = kStepM * Eigen::Vector3d::Unit(axis);
    Eigen::Vector2d after, before;
    ASSERT_TRUE(camera.Project(p + step, after, nullptr));
    ASSERT_TRUE(camera.Project(p - step, before, nullptr));
    // Central differences of hundreds of pixels a metre: 1e-4 is their own error.
    EXPECT_THAT(d_uv.col(axis), PixelNear(Eigen::Vector2d((after - before) / (2 * kStepM)), 1e-4));
  }
}

TEST(FitCameraTest, PointBehindIsNotProjected) {
  const Camera camera = FrontCamera(512);
  const Eigen::Vector3d forward = camera.world_from_camera.rotation * Eigen::Vector3d::UnitZ();
  const Eigen::Vector3d centre = camera.world_from_camera.translation;
  Eigen::Vector2d uv;
  EXPECT_FALSE(FitCamera(camera).Project(centre - 0.5 * forward, uv, nullptr));
  EXPECT_FALSE(FitCamera(camera).Project(centre, uv, nullptr));
  EXPECT_TRUE(FitCamera(camera).Project(centre + 0.5 * forward, uv, nullptr));
}

// Array indices: pixel 0 reaches half a pixel to the left, the last half a pixel to the right.
TEST(FitCameraTest, PictureReachesHalfAPixelAroundItsIndices) {
  const FitCamera camera(FrontCamera(64));
  EXPECT_TRUE(camera.Contains({-0.5, 63.5}));
  EXPECT_FALSE(camera.Contains({-0.51, 30}));
  EXPECT_FALSE(camera.Contains({30, 63.51}));
}

class RigidFitTest : public ::testing::TestWithParam<int> {};

// Exact anchors give the exact pose, from a guess 4 cm and 30 degrees away.
TEST_P(RigidFitTest, RecoversThePoseFromExactAnchors) {
  Rng rng(3);
  for (int draw = 0; draw < 30; ++draw) {
    const std::vector<Camera> cameras = RandomRig(GetParam(), rng);
    const Rigid3d truth = AnyToolPose(rng).world_from_tool;
    const FitProblem problem = MakeFitProblem(truth, cameras);
    const RigidFit fit = FitRigid(problem, Disturbed(truth, 0.04, 0.5, rng));
    EXPECT_THAT(fit.world_from_tool, RigidNear(truth, 1e-6, 1e-5)) << "draw " << draw;
    EXPECT_LE(fit.cost, 1e-6) << "draw " << draw;
    EXPECT_LE(fit.chi_squared, 1e-6) << "draw " << draw;
    EXPECT_EQ(fit.num_used, 3 * GetParam());
    EXPECT_EQ(fit.num_expected, 3 * GetParam());
    for (const auto& used : fit.used) EXPECT_EQ(used, (std::array<int, 3>{0, 0, 0}));
  }
}

INSTANTIATE_TEST_SUITE_P(Views, RigidFitTest, ::testing::Values(2, 3, 5));

// The truth is a fixed point: the fit does not walk away from it.
TEST(RigidFit, StaysAtTheTruth) {
  const std::vector<Camera> cameras{FrontCamera(512), OverheadCamera(512)};
  const Rigid3d truth = GoldenPose1().world_from_tool;
  EXPECT_THAT(FitRigid(MakeFitProblem(truth, cameras), truth).world_from_tool,
              RigidNear(truth, 1e-9, 1e-8));
}

// One blob tens of pixels off, in two views or more: it is told and does not pull.
TEST(RigidFit, OneWrongAnchorIsIgnored) {
  Rng rng(4);
  for (const int num_views : {2, 3}) {
    for (int draw = 0; draw < 20; ++draw) {
      const std::vector<Camera> cameras = RandomRig(num_views, rng);
      const Rigid3d truth = AnyToolPose(rng).world_from_tool;
      FitProblem problem = MakeFitProblem(truth, cameras);
      const size_t view = static_cast<size_t>(draw % num_views);
      const size_t anchor = static_cast<size_t>(draw % 3);
      const double around_rad = rng.Uniform(0, 6.28);
      problem.views[view].candidates[anchor][0].uv +=
          60.0 * Eigen::Vector2d(std::cos(around_rad), std::sin(around_rad));
      const RigidFit fit = FitRigid(problem, Disturbed(truth, 0.01, 0.1, rng));
      EXPECT_THAT(fit.world_from_tool, RigidNear(truth, 1e-4, 1e-3))
          << num_views << " views, draw " << draw;
      EXPECT_EQ(fit.used[view][anchor], -1);
      EXPECT_EQ(fit.num_used, 3 * num_views - 1);
      EXPECT_EQ(fit.num_expected, 3 * num_views);
      EXPECT_LE(fit.cost, kGateSquared + 1e-6);  // what one unexplained blob costs
      EXPECT_GE(fit.cost, 0.9 * kGateSquared);
    }
  }
}

// Of several candidates the one that fits is taken, whatever its place in the list.
TEST(RigidFit, ChoosesAmongCandidates) {
  Rng rng(5);
  const std::vector<Camera> cameras = RandomRig(2, rng);
  const Rigid3d truth = RandomToolPose(rng).world_from_tool;
  FitProblem problem = MakeFitProblem(truth, cameras);
  std::vector<Peak>& candidates = problem.views[1].candidates[2];
  candidates.insert(candidates.begin(), PeakAt(candidates[0].uv + Eigen::Vector2d(50, 20), 0.5));
  candidates.push_back(PeakAt(candidates[1].uv - Eigen::Vector2d(30, 60), 0.5));
  const RigidFit fit = FitRigid(problem, Disturbed(truth, 0.01, 0.1, rng));
  EXPECT_EQ(fit.used[1][2], 1);
  EXPECT_EQ(fit.num_used, 6);
  EXPECT_THAT(fit.world_from_tool, RigidNear(truth, 1e-6, 1e-5));
}

// A sharp blob counts more than a blurred one: the pose follows the sharp ones.
TEST(RigidFit, SharpBlobsOutweighBlurredOnes) {
  Rng rng(6);
  const std::vector<Camera> cameras = RandomRig(3, rng);
  const Rigid3d truth = RandomToolPose(rng).world_from_tool;
  FitProblem problem = MakeFitProblem(truth, cameras, 0.1);
  for (std::vector<Peak>& candidates : problem.views[2].candidates) {
    candidates[0] = PeakAt(candidates[0].uv + Eigen::Vector2d(8, -6), 10.0);  // one deviation off
  }
  const RigidFit fit = FitRigid(problem, truth);
  EXPECT_EQ(fit.num_used, 9);
  EXPECT_THAT(fit.world_from_tool, RigidNear(truth, 1e-4, 1e-3));
}

TEST(RigidFit, FloorIsAddedToThePeaksVariance) {
  FitProblem problem = MakeFitProblem(GoldenPose1().world_from_tool, {FrontCamera(512)}, 0.5);
  problem.variance_floor[0] = {0.0, 0.75, 2.0};
  const WeightedViews weighted = WeighPeaks(problem);
  const std::array<double, 3> expected{4.0, 1.0, 1 / 2.25};
  for (size_t anchor = 0; anchor < 3; ++anchor) {
    ASSERT_EQ(weighted[0][anchor].size(), 1u);
    EXPECT_NEAR(weighted[0][anchor][0].information(0, 0), expected[anchor], 1e-12);
    EXPECT_NEAR(weighted[0][anchor][0].information(1, 1), expected[anchor], 1e-12);
    EXPECT_NEAR(weighted[0][anchor][0].information(0, 1), 0.0, 1e-12);
  }
}

// Cost by hand: bounded for a blob that is off, the whole gate for one that is missing inside the
// picture, nothing for one that is missing outside.
TEST(RigidFit, CostOfOneBlobIsKnown) {
  const std::vector<Camera> cameras{FrontCamera(512), OverheadCamera(512)};
  const Rigid3d truth = GoldenPose1().world_from_tool;
  const auto cost = [&](const FitProblem& problem) {
    return PoseCost(problem, WeighPeaks(problem), truth);
  };
  FitProblem problem = MakeFitProblem(truth, cameras, 1.0);
  problem.variance_floor.assign(2, {0, 0, 0});
  EXPECT_NEAR(cost(problem), 0, 1e-15);
  problem.views[0].candidates[1][0].uv += Eigen::Vector2d(3.0, 4.0);  // five deviations
  EXPECT_NEAR(cost(problem), kGateSquared * 25 / (kGateSquared + 25), 1e-9);
  problem.views[0].candidates[1].clear();
  EXPECT_NEAR(cost(problem), kGateSquared, 1e-12);
  problem.cameras[0].width = 10;  // now outside
  EXPECT_NEAR(cost(problem), 0, 1e-15);
}

// The information is the inverse of the errors' covariance. The robust loss takes a fifth of it
// away, which claims a little less than is known.
TEST(RigidFit, InformationIsThatOfTheErrors) {
  Rng rng(8);
  const std::vector<Camera> cameras{FrontCamera(512), OverheadCamera(512)};
  const Rigid3d truth = GoldenPose2().world_from_tool;
  double squares = 0;
  constexpr int kDraws = 300;
  for (int draw = 0; draw < kDraws; ++draw) {
    FitProblem problem = MakeFitProblem(truth, cameras, 1.0);
    for (ViewPeaks& view : problem.views) {
      for (std::vector<Peak>& candidates : view.candidates) {
        candidates[0].uv += Eigen::Vector2d(rng.Normal(), rng.Normal());
      }
    }
    const RigidFit fit = FitRigid(problem, truth);
    Eigen::Matrix<double, 6, 1> error;
    error << fit.world_from_tool.translation - truth.translation,
        LogRotation(truth.rotation.conjugate() * fit.world_from_tool.rotation);
    squares += error.dot(fit.information * error);
  }
  RecordProperty("squares", std::to_string(squares / kDraws));
  EXPECT_GE(squares / kDraws, 4.0);
  EXPECT_LE(squares / kDraws, 6.6);  // 6 numbers of one deviation each
}

double SmallestEigenvalue(const RigidFit& fit) { return SymmetricEigenvalues(fit.information)[0]; }

// Where blobs leave a motion free, the information says so.
TEST(RigidFit, DegenerateConfigurationHasNoInformation) {
  const std::vector<Camera> cameras{FrontCamera(512), OverheadCamera(512)};
  const Rigid3d truth = GoldenPose1().world_from_tool;
  const FitProblem whole = MakeFitProblem(truth, cameras);
  const double determined = SmallestEigenvalue(FitRigid(whole, truth));
  EXPECT_GE(determined, 100.0);

  FitProblem no_green = whole;  // the turn about the line from R to B
  FitProblem tip_alone = whole;
  for (size_t view = 0; view < 2; ++view) {
    no_green.views[view].candidates[1].clear();
    tip_alone.views[view].candidates[1].clear();
    tip_alone.views[view].candidates[2].clear();
  }
  EXPECT_LE(SmallestEigenvalue(FitRigid(no_green, truth)), 1e-9 * determined);
  EXPECT_EQ(FitRigid(no_green, truth).num_used, 4);
  EXPECT_LE(SmallestEigenvalue(FitRigid(tip_alone, truth)), 1e-9 * determined);
}

TEST(RigidFit, WithoutBlobsThePoseStaysAndCostsTheGate) {
  const std::vector<Camera> cameras{FrontCamera(512), OverheadCamera(512)};
  const Rigid3d start = GoldenPose1().world_from_tool;
  FitProblem problem = MakeFitProblem(start, cameras);
  for (ViewPeaks& view : problem.views) view = {};
  const RigidFit fit = FitRigid(problem, start);
  EXPECT_THAT(fit.world_from_tool, RigidNear(start, 1e-12, 1e-7));
  EXPECT_EQ(fit.num_used, 0);
  EXPECT_EQ(fit.num_expected, 6);
  EXPECT_NEAR(fit.cost, 6 * kGateSquared, 1e-9);
  EXPECT_EQ(fit.information.norm(), 0.0);
}

}  // namespace
}  // namespace aim
