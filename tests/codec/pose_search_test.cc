#include "codec/pose_search.h"

#include <gtest/gtest.h>

#include "codec/fit_problem.h"
#include "codec/rlbench_scene.h"
#include "support/matchers.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support

std::vector<Camera> FrontAndOverhead() { return {FrontCamera(512), OverheadCamera(512)}; }

class PoseSearchTest : public ::testing::TestWithParam<int> {};

// No first guess: any rotation, anywhere, is found from its blobs alone.
TEST_P(PoseSearchTest, FindsAnyPose) {
  Rng rng(1);
  for (int draw = 0; draw < 40; ++draw) {
    const std::vector<Camera> cameras = MakeCameraRig({.num_views = GetParam()}, rng);
    const Rigid3d truth = AnyToolPose(rng).world_from_tool;
    const std::optional<RigidFit> fit = SearchPose(MakeFitProblem(truth, cameras));
    ASSERT_TRUE(fit) << "draw " << draw;
    EXPECT_THAT(fit->world_from_tool, RigidNear(truth, 1e-6, 1e-5)) << "draw " << draw;
    EXPECT_EQ(fit->num_used, 3 * GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Views, PoseSearchTest, ::testing::Values(2, 3, 4));

// Second and third candidates that belong to no pose do not lead it astray, even where they come
// first.
TEST(PoseSearch, FalseCandidatesAreSeenThrough) {
  Rng rng(2);
  for (int draw = 0; draw < 30; ++draw) {
    const std::vector<Camera> cameras = MakeCameraRig({.num_views = 2}, rng);
    const Rigid3d truth = AnyToolPose(rng).world_from_tool;
    FitProblem problem = MakeFitProblem(truth, cameras);
    for (ViewPeaks& view : problem.views) {
      for (std::vector<Peak>& candidates : view.candidates) {
        const Peak ghost = PeakAt({rng.Uniform(0, 511), rng.Uniform(0, 511)}, 0.5);
        candidates.insert(rng.Uniform() < 0.5 ? candidates.begin() : candidates.end(), ghost);
      }
    }
    const std::optional<RigidFit> fit = SearchPose(problem);
    ASSERT_TRUE(fit) << "draw " << draw;
    EXPECT_THAT(fit->world_from_tool, RigidNear(truth, 1e-5, 1e-4)) << "draw " << draw;
  }
}

struct Missing {
  std::string name;
  std::vector<std::pair<size_t, size_t>> blobs;  // view, anchor
};

// A blob that is missing inside a picture is evidence against every pose that puts it there.
FitProblem Without(FitProblem problem, const Missing& missing) {
  for (const auto& [view, anchor] : missing.blobs) problem.views[view].candidates[anchor].clear();
  return problem;
}

class MissingBlobsTest : public ::testing::TestWithParam<Missing> {};

// Five blobs: the right pose, or none. Four leave little to check by: another pose near the right
// one may explain them as well, with the same tip (15 degrees in one draw of 75).
TEST_P(MissingBlobsTest, RightPoseOrNone) {
  Rng rng(3);
  int num_found = 0;
  constexpr int kDraws = 25;
  for (int draw = 0; draw < kDraws; ++draw) {
    const Rigid3d truth = AnyToolPose(rng).world_from_tool;
    const auto fit = SearchPose(Without(MakeFitProblem(truth, FrontAndOverhead()), GetParam()));
    if (!fit) continue;
    ++num_found;
    const bool is_checked = GetParam().blobs.size() == 1;
    EXPECT_THAT(fit->world_from_tool,
                RigidNear(truth, is_checked ? 1e-5 : 1e-4, is_checked ? 1e-4 : 0.3))
        << "draw " << draw;
    EXPECT_EQ(fit->num_used, 6 - static_cast<int>(GetParam().blobs.size())) << "draw " << draw;
  }
  RecordProperty("found", num_found);
  EXPECT_GE(num_found, GetParam().blobs.size() == 1 ? 20 : 1);
}

INSTANTIATE_TEST_SUITE_P(Blobs, MissingBlobsTest,
                         ::testing::Values(Missing{"TipInFront", {{0, 0}}},
                                           Missing{"GreenAbove", {{1, 1}}},
                                           Missing{"BlueInFront", {{0, 2}}},
                                           Missing{"GreenAndBlueInFront", {{0, 1}, {0, 2}}},
                                           Missing{"GreenInFrontBlueAbove", {{0, 1}, {1, 2}}}),
                         [](const auto& test) { return test.param.name; });

struct Undetermined {
  std::string name;
  FitProblem problem;
};

TEST(PoseSearch, SaysWhenBlobsDoNotTellThePose) {
  const Rigid3d truth = GoldenPose1().world_from_tool;
  const FitProblem whole = MakeFitProblem(truth, FrontAndOverhead());
  ASSERT_TRUE(SearchPose(whole));
  FitProblem contradicting = whole;
  contradicting.views[1] =
      MakeFitProblem(GoldenPose2().world_from_tool, FrontAndOverhead()).views[1];
  FitProblem swapped = whole;
  std::swap(swapped.cameras[0], swapped.cameras[1]);
  const std::vector<Undetermined> cases{
      {"nothing found", Without(whole, {"", {{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}}})},
      {"one view alone", Without(whole, {"", {{1, 0}, {1, 1}, {1, 2}}})},
      {"three blobs", Without(whole, {"", {{0, 1}, {0, 2}, {1, 2}}})},
      {"no anchor in both views", Without(whole, {"", {{0, 1}, {0, 2}, {1, 0}}})},
      {"no green: the turn about the line from R to B is free",
       Without(whole, {"", {{0, 1}, {1, 1}}})},
      {"the same camera twice", MakeFitProblem(truth, {FrontCamera(512), FrontCamera(512)})},
      {"views of different poses", contradicting},
      {"views swapped", swapped},
  };
  for (const Undetermined& test : cases) EXPECT_FALSE(SearchPose(test.problem)) << test.name;
}

}  // namespace
}  // namespace aim
