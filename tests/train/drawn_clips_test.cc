// Clips that chance decides about: views, variations, and how often an episode comes.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "aim/base/error.h"
#include "aim/train/dataset.h"
#include "aim/train/run_train.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "train/training_data.h"

namespace aim {
namespace {

class DrawnClipsTest : public ::testing::Test {
 protected:
  DrawnClipsTest() : options_(testing::TinyTraining(folder_ / "data")) {
    testing::WriteTrainingData(folder_ / "data", {.num_episodes = 4});
    options_.train.validation_episodes = 1;
    options_.train.steps = 1;
  }

  // The cache that a run makes.
  LatentCache Train(const std::string& out, uint64_t seed = 0) {
    RunContext run({.seed = seed, .out = folder_ / out});
    RunTrain(options_, run);
    return LatentCache::Open(folder_ / out / "cache");
  }

  // The number of the view, of any episode, that has this camera.
  static size_t ViewOf(const Camera& camera, const DataSet& data) {
    for (const EpisodeRef& ref : data.episodes()) {
      const Clip clip = data.Read(ref, {0, 1}).clip;
      for (size_t view = 0; view < clip.views.size(); ++view) {
        const Eigen::Vector3d place =
            clip.views[view].camera.frames[0].world_from_camera.translation;
        if ((place - camera.world_from_camera.translation).norm() < 1e-5) return view;
      }
    }
    ADD_FAILURE() << "a camera of none of the episodes";
    return 0;
  }

  std::map<std::string, int> Count(const std::string& data) const {
    std::map<std::string, int> times;
    for (const TrainingEpisode& episode : ListTrainingData({data}, 0, 0).training) {
      EXPECT_EQ(episode.copy, times[episode.ref.name]++);
    }
    return times;
  }

  testing::TemporaryFolder folder_;
  TrainRunOptions options_;
};

TEST_F(DrawnClipsTest, AClipHasSomeOfTheViews) {
  options_.clips.num_views = 1;
  const LatentCache cache = Train("one");
  const DataSet data = OpenDataSet(folder_ / "data");
  std::set<size_t> drawn;
  for (int64_t i = 0; i < cache.size(); ++i) {
    const Clip clip = cache.Truth(i);
    ASSERT_EQ(clip.views.size(), 1U);
    drawn.insert(ViewOf(clip.views[0].camera.frames[0], data));
  }
  EXPECT_EQ(drawn, (std::set<size_t>{0, 1})) << "in " << cache.size() << " clips";
  EXPECT_EQ(cache.Get({0}).latents.size(1), 1);
}

TEST_F(DrawnClipsTest, MoreViewsThanThereAreAreRefused) {
  options_.clips.num_views = 3;
  testing::ExpectThrowsWith<InputError>([&] { Train("three"); }, {"without a readable episode"});
}

TEST_F(DrawnClipsTest, VariationsDependOnTheSeedAndTheCopy) {
  options_.clips.augment = {.roll_deg = 5, .brightness = 0.3};
  options_.data[0] += "@2";
  const LatentCache cache = Train("first");
  const at::Tensor first = cache.Get({0}).latents;
  EXPECT_TRUE(at::equal(first, Train("again").Get({0}).latents));
  EXPECT_FALSE(at::equal(first, Train("other", 1).Get({0}).latents));
  // Two copies of one episode stand side by side in the order of names, each varied by itself.
  const int64_t clips = options_.clips.per_episode;
  EXPECT_EQ(cache.Truth(0).poses[0].world_from_tool.translation,
            cache.Truth(clips).poses[0].world_from_tool.translation);
  EXPECT_FALSE(at::equal(first, cache.Get({clips}).latents));
  EXPECT_NE(cache.Truth(0).views[0].camera.frames[0].fx,
            cache.Truth(clips).views[0].camera.frames[0].fx);
}

TEST_F(DrawnClipsTest, ARatioSaysHowOftenAnEpisodeComes) {
  const std::string data = (folder_ / "many").string();
  testing::WriteTrainingData(data, {.num_episodes = 40, .num_frames = 5, .size_px = 16});
  int thrice = 0;
  for (const auto& [name, times] : Count(data + "@2.5")) {
    EXPECT_TRUE(times == 2 || times == 3) << name;
    thrice += times == 3;
  }
  EXPECT_GT(thrice, 8);
  EXPECT_LT(thrice, 32);
  EXPECT_EQ(Count(data + "@0.5").size(), static_cast<size_t>(thrice));  // the same by hash
  EXPECT_EQ(Count(data + "@1").size(), 40U);
  for (const char* ratio : {"0", "-1", "1001", "nan", "x"}) {
    testing::ExpectThrowsWith<ConfigError>([&] { Count(data + "@" + ratio); }, {"--data ratio"});
  }
}

}  // namespace
}  // namespace aim
