#include "aim/data/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/data/data_set.h"
#include "data/layout_cases.h"
#include "support/case_name.h"
#include "support/matchers.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "support/tolerance.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using testing::LayoutCase;
using testing::TemporaryFolder;

std::vector<Episode> MakeEpisodes(int count, double fps, bool moving_camera = true) {
  Rng rng(23);
  std::vector<Episode> episodes;
  for (int i = 0; i < count; ++i) {
    episodes.push_back(
        testing::MakeEpisode({.num_frames = 9, .moving_camera = moving_camera && i == 1}, rng));
    episodes.back().clip.fps = fps;
    episodes.back().clip.prompt = "prompt " + std::to_string(i);
  }
  return episodes;
}

ConvertReport Convert(const ConvertOptions& options, bool resume = false) {
  RunContext run({.out = {}, .resume = resume});
  return RunConvert(options, run);
}

// From every layout into every one that can be written: pictures, poses and prompts stay.
class ConvertTest : public ::testing::TestWithParam<LayoutCase> {};

TEST_P(ConvertTest, KeepsWhatBothCanHold) {
  const TemporaryFolder folder;
  const std::vector<Episode> episodes =
      MakeEpisodes(2, GetParam().fps, GetParam().can_move_cameras);
  GetParam().make(folder / "source", episodes);
  const DataSet source = OpenDataSet(folder / "source");
  const Limits writable = WritableLayouts();
  for (const std::string& to : writable.choices) {
    SCOPED_TRACE(to);
    if (!source.layout().Limits().poses && !FindLayout(to).Limits().no_poses) continue;
    // Clips and the released layout have a camera for every view.
    if (!source.layout().Limits().cameras && to != "lerobot") continue;
    const fs::path out = folder / ("to " + to);
    const ConvertReport report =
        Convert({.source = (folder / "source").string(), .destination = out.string(), .to = to});
    EXPECT_EQ(report.num_episodes, 2);
    EXPECT_EQ(report.num_frames, 18);
    const DataSet data = OpenDataSet(out);
    EXPECT_EQ(data.layout().Name(), to);
    ASSERT_EQ(data.episodes().size(), 2u);
    for (size_t i = 0; i < 2; ++i) {
      const Clip read = data.Open(data.episodes()[i])->Read({}).clip;
      const Clip expected = source.Open(source.episodes()[i])->Read({}).clip;
      EXPECT_EQ(read.prompt, expected.prompt);
      EXPECT_EQ(read.views[1].camera.frames.size(), expected.views[1].camera.frames.size());
      EXPECT_NEAR(read.fps, expected.fps, 1e-9);
      ASSERT_EQ(read.poses.size(), expected.poses.size());
      if (expected.poses.empty()) continue;
      EXPECT_THAT(read.poses[4].world_from_tool,
                  testing::RigidNear(expected.poses[4].world_from_tool, testing::kFloat32M,
                                     testing::kFloat32Rad));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Table, ConvertTest, ::testing::ValuesIn(testing::LayoutCases()),
                         testing::CaseName());

class ConvertRunTest : public ::testing::Test {
 protected:
  explicit ConvertRunTest(int count = 3) : episodes_(MakeEpisodes(count, 20)) {
    testing::WriteRlbench(folder_ / "source", episodes_);
  }
  ConvertOptions To(const std::string& layout) const {
    return {.source = (folder_ / "source").string(), .destination = Out().string(), .to = layout};
  }
  fs::path Out() const { return folder_ / "out"; }

  TemporaryFolder folder_;
  std::vector<Episode> episodes_;
};

// 20 frames a second to 5: every fourth, with its pose; one view, smaller, its camera with it.
TEST_F(ConvertRunTest, ViewsSizeAndRateAreAsAskedFor) {
  ConvertOptions options = To("folder");
  options.edit = {.views = {"left_shoulder"}, .width = 8, .height = 8, .fps = 5};
  Convert(options);
  const DataSet data = OpenDataSet(Out());
  const Clip clip = data.Read(data.episodes().at(1)).clip;
  ASSERT_EQ(clip.views.size(), 1u);
  EXPECT_EQ(clip.views[0].num_frames, 3);
  EXPECT_EQ(clip.width, 8);
  EXPECT_EQ(clip.fps, 5);
  ASSERT_EQ(clip.poses.size(), 3u);
  const Clip& whole = episodes_[1].clip;
  EXPECT_THAT(clip.poses[2].world_from_tool,
              testing::RigidNear(whole.poses[8].world_from_tool, testing::kRoundTripM, 1e-7));
  ASSERT_EQ(clip.views[0].camera.frames.size(), 3u);  // this one moves
  EXPECT_NEAR(clip.views[0].camera.frames[1].fx, whole.views[1].camera.at(4).fx / 2, 1e-9);
}

TEST_F(ConvertRunTest, WhatIsThereIsNotWrittenAgain) {
  Convert(To("folder"));
  const auto time_of = [&](const char* name) { return fs::last_write_time(Out() / name); };
  const char* kept = "reach_target_all_variations_episode0/view0.mp4";
  const auto before = time_of(kept);
  fs::remove_all(Out() / "reach_target_all_variations_episode1");
  WriteFileAtomic(folder_ /
                      "source/reach_target/all_variations/episodes/episode2/"
                      "variation_descriptions.pkl",
                  testing::PickledFile(testing::PickledList({testing::PickledText("anew")})));
  const ConvertReport report = Convert(To("folder"), true);
  EXPECT_EQ(report.num_episodes, 3);
  EXPECT_EQ(report.num_resumed, 1);
  EXPECT_EQ(time_of(kept), before);
  const DataSet data = OpenDataSet(Out());
  ASSERT_EQ(data.episodes().size(), 3u);
  EXPECT_EQ(data.Read(data.episodes()[2]).clip.prompt, "anew");
  ConvertOptions other = To("folder");
  other.edit.fps = 5;
  ExpectThrowsWith<ConfigError>([&] { Convert(other, true); }, {"fps", "as in the run"});
}

// The folder would hold two data sets in one.
TEST_F(ConvertRunTest, AnotherSourceDoesNotGoOn) {
  Convert(To("folder"));
  testing::WriteRlbench(folder_ / "source2", MakeEpisodes(2, 20));
  ConvertOptions other = To("folder");
  other.source = (folder_ / "source2").string();
  ExpectThrowsWith<ConfigError>(
      [&] { Convert(other, true); },
      {"--resume", "reach_target/all_variations/episode2", "source2", "aim-data merge"});
  EXPECT_EQ(OpenDataSet(Out()).episodes().size(), 3u);
}

TEST_F(ConvertRunTest, ShardsMakeOneDataSet) {
  for (const char* shard : {"0/2", "1/2"}) {
    ConvertOptions options = To("action-images");
    options.shard = shard;
    Convert(options, shard[0] == '1');
  }
  EXPECT_EQ(OpenDataSet(Out()).episodes().size(), 3u);
  EXPECT_TRUE(fs::exists(Out() / "report-1-of-2.json"));
}

// RLBench's all_variations holds episodes of the variations beside it: the first of a name has it,
// and shards in any order agree with one process.
TEST_F(ConvertRunTest, TheFirstOfANameHasItInEveryShard) {
  const fs::path task = folder_ / "source/reach_target";
  fs::copy(task / "all_variations", task / "variation3", fs::copy_options::recursive);
  for (int i = 0; i < 3; ++i) {
    WriteFileAtomic(
        task / "variation3/episodes" / ("episode" + std::to_string(i)) /
            "variation_descriptions.pkl",
        testing::PickledFile(testing::PickledList({testing::PickledText("of variation 3")})));
  }
  const ConvertReport whole = Convert(To("action-images"));
  EXPECT_EQ(whole.num_episodes, 3);
  ASSERT_EQ(whole.skipped.size(), 3u);
  EXPECT_THAT(whole.skipped[0].problem,
              HasSubstr("a second episode that becomes reach_target/variation3/episode"));
  const auto prompts = [&] {
    std::vector<std::string> found;
    const DataSet data = OpenDataSet(Out());
    for (const EpisodeRef& ref : data.episodes()) found.push_back(data.Read(ref).clip.prompt);
    return found;
  };
  const std::vector<std::string> one = prompts();
  for (const std::vector<const char*>& order :
       {std::vector<const char*>{"0/5", "1/5", "2/5", "3/5", "4/5"},
        std::vector<const char*>{"4/5", "3/5", "2/5", "1/5", "0/5"}}) {
    fs::remove_all(Out());
    int64_t written = 0;
    for (const char* shard : order) {
      ConvertOptions options = To("action-images");
      options.shard = shard;
      try {
        written += Convert(options, true).num_episodes;
      } catch (const InputError& error) {  // a shard of nothing but seconds
        EXPECT_THAT(error.what(), HasSubstr("a second episode"));
      }
    }
    EXPECT_EQ(written, 3);
    EXPECT_EQ(prompts(), one);
  }
}

TEST_F(ConvertRunTest, DamagedEpisodesAreLeftOutAndNamed) {
  fs::remove(folder_ / "source/reach_target/all_variations/episodes/episode1/low_dim_obs.pkl");
  const ConvertReport report = Convert(To("folder"));
  EXPECT_EQ(report.num_episodes, 2);
  ASSERT_EQ(report.skipped.size(), 1u);
  EXPECT_EQ(report.skipped[0].episode, "reach_target/all_variations/episode1");
}

// Once, before anything is written, not once an episode.
TEST_F(ConvertRunTest, WhatNoEpisodeHasIsRefusedAtOnce) {
  ConvertOptions options = To("folder");
  options.edit.fps = 50;
  ExpectThrowsWith<ConfigError>(
      [&] { Convert(options); },
      {"--fps is 50", "at most 20 frames a second", "episode0", "no episode of", "not invented"});
  options.edit = {.views = {"front,wrist"}};
  ExpectThrowsWith<ConfigError>([&] { Convert(options); },
                                {"--views is \"wrist\"", "front, left_shoulder", "episode0"});
  options.edit = {.views = {"front", "front"}};
  ExpectThrowsWith<ConfigError>([&] { Convert(options); }, {"--views", "front asked for twice"});
  EXPECT_FALSE(fs::exists(Out()));
}

TEST_F(ConvertRunTest, ViewsMayBeGivenWithCommas) {
  ConvertOptions options = To("folder");
  options.edit.views = {"left_shoulder,front"};
  Convert(options);
  const DataSet data = OpenDataSet(Out());
  const Clip clip = data.Read(data.episodes().at(0)).clip;
  ASSERT_EQ(clip.views.size(), 2u);
  EXPECT_EQ(clip.views[0].camera.name, "left_shoulder");
}

TEST_F(ConvertRunTest, TheDestinationIsNotInTheSource) {
  ConvertOptions options = To("folder");
  options.destination = (folder_ / "source/clips").string();
  ExpectThrowsWith<ConfigError>([&] { Convert(options); },
                                {"the folder to write", "source/clips", "which is read"});
  EXPECT_FALSE(fs::exists(folder_ / "source/clips"));
}

// Sound episodes that do not fit are no damage, and are named with what does not fit.
TEST(ConvertMixedTest, EpisodesOfOtherViewsAreNotDamaged) {
  const TemporaryFolder folder;
  std::vector<Episode> episodes = MakeEpisodes(3, 20, false);
  episodes[1].clip.views.pop_back();
  testing::WriteThroughSink("folder", folder / "source", episodes);
  const auto convert = [&](const std::string& to, const std::vector<std::string>& views) {
    return Convert({.source = (folder / "source").string(),
                    .destination = (folder / ("to " + to)).string(),
                    .to = to,
                    .edit = {.views = views}});
  };
  for (const auto& [to, views, word] :
       {std::tuple{"lerobot", std::vector<std::string>{}, "of the views view0 of"},
        std::tuple{"folder", std::vector<std::string>{"view1"}, "without a view called view1"}}) {
    const ConvertReport report = convert(to, views);
    EXPECT_EQ(report.num_episodes, 2);
    const nlohmann::json written = ToJson(report);
    EXPECT_TRUE(written["damaged"].empty()) << written;
    ASSERT_EQ(written["unfit"].size(), 1u) << written;
    EXPECT_EQ(written["unfit"][0]["episode"], "reach_target_variation3_episode1");
    EXPECT_THAT(std::string(written["unfit"][0]["problem"]), HasSubstr(word));
  }
}

// What is lost is what was there: nothing else is said to be left out.
TEST(ConvertMixedTest, OnlyWhatIsThereIsLost) {
  const TemporaryFolder folder;
  std::vector<Episode> episodes = MakeEpisodes(2, 20);
  const auto lost = [&](const std::string& name) {
    testing::WriteThroughSink("action-images", folder / name, episodes);
    return Convert({.source = (folder / name).string(),
                    .destination = (folder / (name + " out")).string()})
        .lost;
  };
  EXPECT_THAT(lost("full"), ElementsAre("measured poses", "seeds", "tasks"));
  for (Episode& episode : episodes) {
    episode.measured.clear();
    episode.seed = 0;
  }
  EXPECT_THAT(lost("bare"), ElementsAre("tasks"));
}

// The same is said by a run that finds all of it written.
TEST_F(ConvertRunTest, AResumedRunSaysWhatWasLost) {
  const std::vector<std::string> lost = Convert(To("folder")).lost;
  EXPECT_FALSE(lost.empty());
  EXPECT_EQ(Convert(To("folder"), true).lost, lost);
}

TEST(SampleFramesTest, TakesTheNearestFrames) {
  EXPECT_THAT(SampleFrames({0, 0.05, 0.1, 0.15, 0.2}, 10), ElementsAre(0, 2, 4));
  EXPECT_THAT(SampleFrames({3, 3.1, 3.2, 3.3}, 10), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(SampleFrames({0, 0.09, 0.31, 0.5}, 4), ElementsAre(0, 2, 3));
  EXPECT_THAT(SampleFrames({0, 0.1}, 20), ElementsAre());
  EXPECT_THAT(SampleFrames({1}, 5), ElementsAre(0));
}

}  // namespace
}  // namespace aim
