// Episodes without actions: trained on as videos alone, beside others or by themselves.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/data/layout.h"
#include "aim/train/dataset.h"
#include "aim/train/run_train.h"
#include "data/recorded_files.h"
#include "support/count_parts.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "train/training_data.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr int kNumFrames = 12;

class VideoOnlyTest : public ::testing::Test {
 protected:
  VideoOnlyTest() : options_(testing::TinyTraining(folder_ / "data")) {
    testing::WriteTrainingData(folder_ / "data", {.num_episodes = 4, .num_frames = kNumFrames});
    options_.train.steps = 2;
    options_.train.batch_size = 8;
  }

  // Clip folders with cameras; of the poses the first alone, or none.
  std::string WriteVideos(const std::string& name, int count, int num_poses = 0) {
    const auto sink = FindLayout("folder").Create(folder_ / name, {});
    for (int i = 0; i < count; ++i) {
      Episode episode;
      episode.clip = testing::MakeSyntheticClip(kNumFrames, static_cast<uint64_t>(100 + i));
      episode.clip.poses.resize(static_cast<size_t>(num_poses));
      sink->Write({.name = "clip" + std::to_string(i), .path = {}, .task = {}, .index = i},
                  episode);
    }
    sink->Finish();
    return (folder_ / name).string();
  }

  TrainReport Train(const std::string& out) {
    RunContext run({.out = folder_ / out});
    return RunTrain(options_, run).value();
  }

  LatentCache CacheOf(const std::string& out) { return LatentCache::Open(folder_ / out / "cache"); }

  testing::TemporaryFolder folder_;
  TrainRunOptions options_;
};

// Their clips are encoded without actions and have no mode but i2v; no episode is left out.
TEST_F(VideoOnlyTest, TheyAreTrainedOnBesideOthers) {
  for (const int num_poses : {0, 1}) {
    const std::string out = "run" + std::to_string(num_poses);
    options_.data = {(folder_ / "data").string(), WriteVideos("videos" + out, 3, num_poses)};
    options_.train.validation_episodes = 0;
    const TrainReport report = Train(out);
    EXPECT_TRUE(report.finished);
    EXPECT_TRUE(report.skipped.empty());
    const LatentCache cache = CacheOf(out);
    ASSERT_EQ(cache.size(), 14);
    int num_videos = 0;
    for (int64_t i = 0; i < cache.size(); ++i) {
      const bool is_video = fs::path(cache.Origin(i).data_set).filename() == "videos" + out;
      EXPECT_EQ(cache.HasActions(i), !is_video) << i;
      EXPECT_EQ(cache.Get({i}).latents.select(2, 1).any().item<bool>(), !is_video) << i;
      EXPECT_TRUE(cache.Get({i}).latents.select(2, 0).any().item<bool>()) << i;
      num_videos += is_video;
    }
    EXPECT_EQ(num_videos, 6);
    EXPECT_THAT(ReadFile(folder_ / out / "report.html"),
                HasSubstr("14 clips of 7 episodes, 6 without actions"));
    const std::vector<SampleDraw> draws =
        PlanStep(options_.train, 0, 0, DataMixes(options_.train).Over(cache)).draws;
    for (const SampleDraw& draw : draws)
      EXPECT_TRUE(cache.HasActions(draw.clip) || draw.mode->name == "i2v");
    EXPECT_TRUE(std::isfinite(report.loss));
  }
}

// Held out, they are measured in decibels alone, and in no mode with actions.
TEST_F(VideoOnlyTest, HeldOutOnesAreMeasuredInModesWithoutActions) {
  options_.data = {(folder_ / "data").string(), WriteVideos("videos", 4)};
  options_.train.validation_episodes = 4;
  const DataSplit split = ListTrainingData(options_.data, 4, 0);
  const auto num_videos = std::ranges::count_if(
      split.validation, [](const auto& each) { return each.ref.name.starts_with("clip"); });
  ASSERT_TRUE(num_videos > 0 && num_videos < 4);
  ::testing::internal::CaptureStderr();
  Train("run");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), Not(HasSubstr("no error in mm")));
  const nlohmann::json validation = testing::ReadMetrics(folder_ / "run").back()["validation"];
  EXPECT_EQ(validation["i2v"]["clips"], 4);
  EXPECT_EQ(validation["i2va"]["clips"], 4 - num_videos);
  EXPECT_TRUE(validation["i2va"].contains("position_mm"));
  EXPECT_FALSE(validation["i2v"].contains("position_mm"));
  const std::string page = ReadFile(folder_ / "run/report.html");
  EXPECT_THAT(page,
              HasSubstr("4 episodes, " + std::to_string(num_videos) + " of them without actions"));
  EXPECT_THAT(page, HasSubstr("Finished."));
  // Two samples of each mode that has as many clips, each with its video.
  const size_t num_acting = std::min<size_t>(2, static_cast<size_t>(4 - num_videos));
  EXPECT_EQ(testing::CountParts(page, "src=\"data:video/mp4;base64,"), 4 * num_acting + 2);
  EXPECT_TRUE(fs::exists(folder_ / "run/samples/i2v_1.mp4"));
}

// All of the data: an i2v model of a finished bundle; a new small one has nothing to learn action
// images from.
TEST_F(VideoOnlyTest, ThereMayBeNothingElse) {
  options_.data = {WriteVideos("videos", 4)};
  testing::ExpectThrowsWith<InputError>([&] { Train("new"); },
                                        {"without an episode that has actions", "--init"});
  testing::WriteTinyBundle(folder_ / "initial");
  BundleConfig initial = LoadBundleConfig(folder_ / "initial");
  testing::StartFrom(folder_ / "initial", options_);
  options_.clips.edit.fps = initial.fps < 8 ? initial.fps : 0;
  const TrainReport report = Train("run");
  EXPECT_TRUE(report.finished);
  EXPECT_THAT(LoadBundleConfig(report.bundle).trained_modes, ElementsAre("i2v"));
  const nlohmann::json validation = testing::ReadMetrics(folder_ / "run").back()["validation"];
  EXPECT_EQ(validation.size(), 1U);
  EXPECT_FALSE(validation["i2v"].contains("position_mm"));
}

// Where clips with actions are trained on and none of them is held out, nothing measures those.
TEST_F(VideoOnlyTest, AWarningSaysThatNoErrorOfActionsIsMeasured) {
  options_.data = {(folder_ / "data").string(), WriteVideos("videos", 12)};
  options_.train.validation_episodes = 1;
  const DataSplit split = ListTrainingData(options_.data, 1, 0);
  ASSERT_TRUE(split.validation.at(0).ref.name.starts_with("clip"));
  ::testing::internal::CaptureStderr();
  Train("run");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("none of what is held out (1 clip) has actions: no error in mm"));
}

// More held out than is left is said, whatever they are.
TEST_F(VideoOnlyTest, AWarningSaysThatLittleIsTrainedOn) {
  options_.train.validation_episodes = 3;
  ::testing::internal::CaptureStderr();
  Train("run");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("3 episodes are held out for validation and 1 left to train on"));
}

// A mix of modes that all need actions: left out and named, each with what helps.
TEST_F(VideoOnlyTest, WithoutAModeForThemTheyAreLeftOut) {
  const std::string videos = WriteVideos("videos", 3);
  options_.data = {(folder_ / "data").string(), videos};
  options_.train.validation_episodes = 0;
  options_.train.mix = {{"i2a", 1}, {"v2a", 1}};
  const TrainReport report = Train("run");
  std::vector<std::string> names;
  for (const Skipped& skipped : report.skipped) {
    names.push_back(skipped.episode);
    EXPECT_THAT(skipped.problem, HasSubstr("an episode with 0 poses for 12 frames"));
    EXPECT_THAT(skipped.problem, HasSubstr("train.mix.i2v"));
  }
  EXPECT_THAT(names, UnorderedElementsAre("clip0", "clip1", "clip2"));
  EXPECT_EQ(CacheOf("run").size(), 8);
  // Another share for that data set alone takes them in again, in another cache.
  options_.train.mixes = {"videos:i2v=1"};
  EXPECT_TRUE(Train("again").skipped.empty());
  EXPECT_EQ(CacheOf("again").size(), 14);
  EXPECT_NE(CacheOf("again").key(), CacheOf("run").key());
  options_.train.mixes = {"video:i2v=1"};
  testing::ExpectThrowsWith<ConfigError>([&] { Train("none"); },
                                         {"train.mixes is \"video\"", videos});
  EXPECT_FALSE(fs::exists(folder_ / "none"));
  options_.train.mixes = {};
  options_.data = {videos};
  testing::ExpectThrowsWith<InputError>([&] { Train("none"); }, {"without a readable episode"});
}

// From its cache alone, with other modes than it was made for.
TEST_F(VideoOnlyTest, ACacheOfThemIsTrainedFrom) {
  options_.data = {(folder_ / "data").string(), WriteVideos("videos", 3)};
  options_.train.validation_episodes = 0;
  Train("run");
  options_.data = {};
  options_.clips.dir = (folder_ / "run/cache").string();
  options_.train.mixes = {"videos:i2va=1"};
  options_.train.validation_episodes = 1;
  const TrainReport report = Train("again");
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(report.skipped.size(), 3U);
  options_.train.mixes = {"video:i2va=1"};
  testing::ExpectThrowsWith<ConfigError>([&] { Train("none"); }, {"train.mixes", "videos"});
}

// Without calibration: another size and rate, another light; cameras are zeros for the network.
TEST_F(VideoOnlyTest, TheirCamerasMayBeUnknown) {
  std::vector<Episode> episodes(3);
  for (size_t i = 0; i < episodes.size(); ++i)
    episodes[i].clip = testing::MakeSyntheticClip(kNumFrames, 200 + i, 48);
  testing::WriteBridgeRaw(folder_ / "bridge", episodes);
  options_.data.push_back((folder_ / "bridge").string());
  options_.clips.edit = {.width = testing::kTinySize, .height = testing::kTinySize, .fps = 4};
  options_.clips.augment = {.turn_deg = 3, .zoom = 0.1, .brightness = 0.2};
  options_.train.validation_episodes = 2;
  const TrainReport report = Train("run");
  EXPECT_TRUE(report.finished);
  EXPECT_TRUE(report.skipped.empty()) << report.skipped[0].problem;
  const LatentCache cache = CacheOf("run");
  int num_unknown = 0;
  for (int64_t i = 0; i < cache.size(); ++i) {
    const bool is_known = fs::path(cache.Origin(i).data_set).filename() == "data";
    const Clip clip = cache.Truth(i);
    EXPECT_EQ(clip.width, testing::kTinySize);
    EXPECT_EQ(clip.views[0].camera.frames.empty(), !is_known);
    EXPECT_EQ(cache.Get({i}).camera.any().item<bool>(), is_known);
    EXPECT_EQ(cache.HasActions(i), is_known);
    num_unknown += !is_known;
  }
  EXPECT_GT(num_unknown, 0);
}

}  // namespace
}  // namespace aim
