#include "aim/train/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "aim/base/error.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "train/training_data.h"

namespace aim {
namespace {

using testing::TrainingEpisodePath;

class DatasetTest : public ::testing::Test {
 protected:
  std::string data() const { return (folder_ / "data").string(); }

  static std::multiset<std::string> Names(const std::vector<TrainingEpisode>& episodes) {
    std::multiset<std::string> names;
    for (const TrainingEpisode& episode : episodes) names.insert(episode.ref.name);
    return names;
  }

  testing::TemporaryFolder folder_;
};

// By default one in ten is held out, at least one and at most 24. Only names are read.
TEST_F(DatasetTest, AShareOfTheEpisodesIsHeldOut) {
  const std::filesystem::path one = TrainingEpisodePath(folder_ / "one", 0);
  testing::WriteTrainingData(folder_ / "one", {.num_episodes = 1, .size_px = 16});
  int num_episodes = 0;
  const auto grow_to = [&](int count) {
    for (; num_episodes < count; ++num_episodes) {
      const std::filesystem::path to = TrainingEpisodePath(data(), num_episodes);
      std::filesystem::create_directories(to.parent_path());
      std::filesystem::create_directory_symlink(one, to);
    }
  };
  struct Case {
    int episodes;
    size_t held_out;
  };
  for (const Case& each : {Case{2, 1}, {10, 1}, {19, 1}, {20, 2}, {239, 23}, {260, 24}}) {
    grow_to(each.episodes);
    const DataSplit split = ListTrainingData({data()}, -1, 0);
    EXPECT_EQ(split.validation.size(), each.held_out) << each.episodes;
    EXPECT_EQ(split.training.size(), static_cast<size_t>(each.episodes) - each.held_out);
  }
  EXPECT_EQ(ListTrainingData({data()}, 7, 0).validation.size(), 7U);
  EXPECT_EQ(ListTrainingData({data()}, 0, 0).validation.size(), 0U);
}

TEST_F(DatasetTest, TooFewEpisodesAreRefused) {
  testing::WriteTrainingData(data(), {.num_episodes = 1, .size_px = 16});
  testing::ExpectThrowsWith<ConfigError>([&] { ListTrainingData({data()}, -1, 0); },
                                         {"train.validation_episodes is 1", "the 1 episode found"});
  EXPECT_EQ(ListTrainingData({data()}, 0, 0).training.size(), 1U);
  testing::ExpectThrowsWith<ConfigError>([] { ListTrainingData({}, -1, 0); }, {"--data"});
}

// Of the set, before any episode is read; not once an episode.
TEST_F(DatasetTest, WhatNoEpisodeHasIsRefusedOnce) {
  testing::WriteTrainingData(data(), {.num_episodes = 3, .size_px = 16});
  struct Case {
    EpisodeEdit edit;
    std::vector<std::string> words;
  };
  for (const Case& each : {
           Case{{.views = {"view0,wrist"}}, {"clips.views is \"wrist\"", "view0, view1"}},
           Case{{.fps = 1000}, {"clips.fps is 1000", "at most", "no episode of"}},
       }) {
    testing::ExpectThrowsWith<ConfigError>([&] { ListTrainingData({data()}, 0, 0, each.edit); },
                                           each.words);
  }
  EXPECT_EQ(ListTrainingData({data()}, 0, 0, {.views = {"view1"}}).training.size(), 3U);
}

TEST_F(DatasetTest, TheSplitDependsOnTheSeedAlone) {
  testing::WriteTrainingData(data(), {.num_episodes = 8, .size_px = 16});
  const DataSplit split = ListTrainingData({data()}, 3, 0);
  EXPECT_EQ(Names(split.validation), Names(ListTrainingData({data()}, 3, 0).validation));
  EXPECT_NE(Names(split.validation), Names(ListTrainingData({data()}, 3, 1).validation));
  const std::multiset<std::string> training = Names(split.training);
  for (const std::string& name : Names(split.validation)) EXPECT_EQ(training.count(name), 0U);
}

// Given twice, also as a part of itself: trained twice as often, but on one side of the split only.
TEST_F(DatasetTest, AnEpisodeGivenTwiceIsOnOneSide) {
  testing::WriteTrainingData(data(), {.num_episodes = 6, .size_px = 16});
  for (const std::string& again : {data(), data() + "/../data", data() + "/reach_target"}) {
    const DataSplit split = ListTrainingData({data(), again}, 3, 0);
    EXPECT_EQ(split.validation.size(), 3U) << again;
    EXPECT_EQ(split.training.size(), 6U) << again;
    const std::multiset<std::string> held_out = Names(split.validation);
    for (const std::string& name : Names(split.training)) {
      EXPECT_EQ(held_out.count(name), 0U) << again << " " << name;
      EXPECT_EQ(Names(split.training).count(name), 2U) << again << " " << name;
    }
  }
}

TEST_F(DatasetTest, ADamagedEpisodeIsLeftOutAndNamedOnce) {
  testing::WriteTrainingData(data(), {.num_episodes = 4, .size_px = 16});
  testing::DamageEpisode(data(), 2);
  const DataSplit split = ListTrainingData({data()}, 0, 0);
  EpisodeReader reader;
  int num_read = 0;
  for (int again = 0; again < 2; ++again) {
    for (const TrainingEpisode& episode : split.training)
      num_read += reader.TryRead(episode).has_value();
  }
  EXPECT_EQ(num_read, 6);
  ASSERT_EQ(reader.skipped().size(), 1U);
  EXPECT_EQ(reader.skipped()[0].episode, "reach_target/variation0/episode2");
  EXPECT_THAT(reader.skipped()[0].problem, ::testing::HasSubstr("video.mp4"));
}

// Data sets of two sizes train together once they are brought to one.
TEST_F(DatasetTest, EpisodesAreReadAsTheEditWants) {
  testing::WriteTrainingData(data(), {.num_episodes = 1, .size_px = 16});
  const std::string other = (folder_ / "larger").string();
  testing::WriteTrainingData(other, {.num_episodes = 1, .size_px = 24});
  const DataSplit split = ListTrainingData({data(), other}, 0, 0);
  for (const TrainingEpisode& episode : split.training) {
    const Episode whole = episode.data.Read(episode.ref);
    EpisodeReader one({.views = {"view1"}, .width = 8, .height = 8});
    one.Expect({.width = 8, .height = 8, .num_views = 1, .fps = whole.clip.fps}, "others");
    const std::optional<Episode> read = one.TryRead(episode, {1, 3});
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->clip.views[0].num_frames, 2);
    EXPECT_EQ(read->clip.poses.size(), 2U);
  }
}

}  // namespace
}  // namespace aim
