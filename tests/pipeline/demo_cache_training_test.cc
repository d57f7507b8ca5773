// A cache of the simulator's demonstrations holds what aim-train makes of their videos.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <thread>

#include "aim/bundle/encoding.h"
#include "aim/env/tabletop.h"
#include "aim/pipeline/demo_collection.h"
#include "aim/train/dataset.h"
#include "support/child_process.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

fs::path Tiny() { return testing::SourceDir() / "assets" / "tiny"; }

LatentCache CacheOfVideos(const fs::path& data, const fs::path& dir, const BundleConfig& config) {
  const DataSplit split = ListTrainingData({data.string()}, 0, 0);
  const auto autoencoder = LoadAutoencoder(Tiny(), config);
  const auto text = LoadTextEncoder(Tiny(), config);
  const ClipEncoder encoder{autoencoder.get(), text.get(), config.dit, config.action_image,
                            config.num_frames};
  EpisodeReader reader;
  RunContext run;
  return *OpenOrBuildCache(
      {.dir = dir,
       .episodes = split.training,
       .config = config,
       .encoder = encoder,
       .encoding = EncodingOf(Tiny(), config),
       .write_encoders = [&](const fs::path& path) { WriteEncoders(path, config, Tiny()); },
       .clips_per_episode = 3},
      reader, run);
}

TEST(DemoCacheTrainingTest, EqualsWhatTheVideosEncodeTo) {
  const testing::TemporaryFolder folder;
  DemoCollectionOptions options{.task = {"reach_target", "push_button"}, .episodes = 2};
  const auto make_env = [](const EnvOptions& env) { return MakeTabletop(env); };
  RunContext videos({.out = folder / "videos"});
  RunDemoCollection(options, make_env, videos);
  options.cache = true;
  options.model = Tiny().string();
  options.per_episode = 3;
  RunContext direct({.out = folder / "cache"});
  RunDemoCollection(options, make_env, direct);

  const LatentCache expected =
      CacheOfVideos(folder / "videos", folder / "encoded", LoadBundleConfig(Tiny()));
  const LatentCache cache = LatentCache::Open(folder / "cache");
  ASSERT_EQ(cache.size(), 12);
  ASSERT_EQ(expected.size(), 12);
  // Videos are read in another order: clips are matched by where the tool goes.
  std::map<std::vector<double>, int64_t> by_path;
  const auto path_of = [](const Clip& clip) {
    std::vector<double> path;
    for (const ToolPose& pose : clip.poses) path.push_back(pose.world_from_tool.translation.x());
    return path;
  };
  for (int64_t i = 0; i < 12; ++i) by_path[path_of(expected.Truth(i))] = i;
  ASSERT_EQ(by_path.size(), 12U);
  for (int64_t i = 0; i < 12; ++i) {
    const auto found = by_path.find(path_of(cache.Truth(i)));
    ASSERT_NE(found, by_path.end()) << i;
    const EncodedBatch a = cache.Get({i});
    const EncodedBatch b = expected.Get({found->second});
    // Equal pictures (the video is lossless): equal within the rounding of float16.
    EXPECT_TRUE(at::allclose(a.latents, b.latents, 1e-3, 1e-4)) << i;
    // Camera files hold 4 x 4 matrices: rounded once more.
    EXPECT_LT((a.camera - b.camera).abs().max().item<double>(), 1e-5) << i;
    EXPECT_TRUE(at::equal(a.text, b.text)) << i;
    EXPECT_EQ(cache.Truth(i).prompt, expected.Truth(found->second).prompt);
  }
}

// Two processes of aim-data on one cache, one of them killed: the other finishes it.
TEST(DemoCacheTrainingTest, AKilledProcessIsMadeUpFor) {
  const testing::TemporaryFolder folder;
  const auto command = [&](const std::string& out) {
    return std::vector<std::string>{testing::Binary("aim-data"),
                                    "demos",
                                    "--cache",
                                    "--model",
                                    Tiny().string(),
                                    "--task",
                                    "reach_target",
                                    "--episodes",
                                    "18",
                                    "--num-workers",
                                    "1",
                                    "--per-episode",
                                    "1",
                                    "--resume",
                                    "--out",
                                    (folder / out).string()};
  };
  testing::ChildProcess killed(command("cache"));
  const auto has_begun = [&] {
    return fs::exists(folder / "cache" / ".shard_000000.safetensors.lock") ||
           fs::exists(folder / "cache" / "shard_000000.safetensors");
  };
  while (!has_begun() && killed.IsRunning())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_TRUE(has_begun()) << killed.Wait().err;
  killed.Send(SIGKILL);
  killed.Wait();
  const testing::CommandResult other = testing::RunCommand(command("cache"));
  EXPECT_EQ(other.exit_code, 0) << other.err;
  const nlohmann::json report = nlohmann::json::parse(other.out);
  EXPECT_EQ(report["episodes"], 18);
  EXPECT_EQ(report["cache"]["clips"], 18);
  EXPECT_EQ(LatentCache::Open(folder / "cache").size(), 18);
  for (const auto& entry : fs::directory_iterator(folder / "cache"))
    EXPECT_NE(entry.path().filename().string()[0], '.') << entry.path();
}

}  // namespace
}  // namespace aim
