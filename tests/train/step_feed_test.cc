#include "train/step_feed.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "aim/base/error.h"
#include "support/throws.h"
#include "train/trainer_fixture.h"

namespace aim {
namespace {

class StepFeedTest : public testing::TrainerTest, public ::testing::WithParamInterface<int64_t> {
 protected:
  static Planner PlannerOf(const LatentCache& cache) {
    return [num_clips = cache.size()](int64_t train_step) {
      return PlanStep(testing::QuickTraining(), 3, train_step, {num_clips, {}});
    };
  }
};

// Whatever step is asked for, its plan and its clips are those of the cache.
TEST_P(StepFeedTest, GivesTheClipsOfItsPlan) {
  const LatentCache cache = Cache();
  StepFeed feed(cache, c10::kCPU, GetParam(), PlannerOf(cache));
  EXPECT_EQ(feed.is_resident(), GetParam() > 0);
  for (const int64_t train_step : {0, 1, 2, 7, 8, 3}) {
    const StepFeed::Step step = feed.Take(train_step);
    EXPECT_EQ(step.plan.draws, PlannerOf(cache)(train_step).draws) << train_step;
    for (size_t i = 0; i < step.plan.microbatches.size(); ++i) {
      std::vector<int64_t> clips;
      for (const SampleDraw& draw : step.plan.microbatches[i]) clips.push_back(draw.clip);
      const EncodedBatch expected = cache.Get(clips), found = feed.BatchOf(step, i);
      EXPECT_EQ(found.latents.scalar_type(), at::kHalf);
      EXPECT_TRUE(at::equal(found.latents.to(at::kFloat), expected.latents));
      EXPECT_TRUE(at::equal(found.camera, expected.camera));
      EXPECT_TRUE(at::equal(found.text, expected.text));
    }
  }
}

// What the thread met is thrown where its step is asked for.
TEST_P(StepFeedTest, AnErrorOfTheThreadIsThrown) {
  const LatentCache cache = Cache();
  StepFeed feed(cache, c10::kCPU, GetParam(), [&](int64_t train_step) {
    if (train_step == 1) throw InputError({"clip", "bad", "a good one", ""});
    return PlannerOf(cache)(train_step);
  });
  feed.Take(0);
  testing::ExpectThrowsWith<InputError>([&] { feed.Take(1); }, {"clip"});
}

INSTANTIATE_TEST_SUITE_P(ResidentAndFetched, StepFeedTest,
                         ::testing::Values(int64_t{0}, int64_t{1} << 40));

}  // namespace
}  // namespace aim
