// Demonstrations straight into a latent cache.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/bundle/encoding.h"
#include "aim/cache/latent_cache.h"
#include "aim/data/cut_clip.h"
#include "aim/pipeline/demo_collection.h"
#include "pipeline/scripted_env.h"
#include "policy/tiny_bundle.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::DemoScript;
using testing::ScriptedEnv;

class DemoCacheTest : public ::testing::Test {
 protected:
  DemoCacheTest() {
    testing::WriteTinyBundle(folder_ / "model");
    script_.shape = {.num_frames = 12, .size_px = testing::kTinySize};
  }

  DemoCollectionOptions Options(int episodes) const {
    return {.task = {"reach"},
            .episodes = episodes,
            .first_seed = 50,
            .image_size = testing::kTinySize,
            .frame_period_s = 1 / testing::TinyConfig().fps,
            .num_workers = 2,
            .cache = true,
            .model = (folder_ / "model").string(),
            .per_episode = 2};
  }

  json Collect(const DemoCollectionOptions& options, const std::string& out) {
    RunContext run({.out = folder_ / out, .resume = true});
    return ToJson(RunDemoCollection(
        options, [&](const EnvOptions&) { return std::make_unique<ScriptedEnv>(script_); }, run));
  }

  std::map<std::string, std::string> Shards(const std::string& out) const {
    std::map<std::string, std::string> shards;
    for (const auto& entry : fs::directory_iterator(folder_ / out)) {
      if (entry.path().extension() == ".safetensors")
        shards[entry.path().filename().string()] = ReadFile(entry.path());
    }
    return shards;
  }

  testing::TemporaryFolder folder_;
  DemoScript script_;
};

TEST_F(DemoCacheTest, HoldsTheEncodedClipsOfEveryEpisode) {
  DemoCollectionOptions options = Options(20);
  options.pixels = true;
  const json report = Collect(options, "cache");
  EXPECT_EQ(report["written"], 20);
  EXPECT_EQ(report["cache"]["clips"], 40);
  EXPECT_EQ(report["cache"]["shards"], 2);
  const LatentCache cache = LatentCache::Open(folder_ / "cache");
  EXPECT_EQ(report["cache"]["size_bytes"], cache.size_bytes());
  const BundleConfig config = LoadBundleConfig(folder_ / "model");
  const auto autoencoder = LoadAutoencoder(folder_ / "model", config);
  const auto text = LoadTextEncoder(folder_ / "model", config);
  const ClipEncoder encoder{autoencoder.get(), text.get(), config.dit, config.action_image,
                            config.num_frames};
  for (int64_t index : {0, 1, 6, 39}) {
    SCOPED_TRACE(index);
    const int episode = static_cast<int>(index / 2);
    EXPECT_EQ(cache.Item(index), episode);
    const Clip expected = CutClips(testing::ScriptedEpisode(script_.shape, "reach", episode % 2,
                                                            50 + static_cast<uint64_t>(episode))
                                       .clip,
                                   2, config.num_frames)[static_cast<size_t>(index % 2)];
    const Clip clip = cache.Truth(index);
    EXPECT_EQ(ToNumbers(clip.poses[3]), ToNumbers(expected.poses[3]));
    EXPECT_EQ(clip.views[1].rgb, expected.views[1].rgb);
    EXPECT_EQ(clip.prompt, expected.prompt);
    const EncodedClip encoded = encoder.Encode(expected);
    const EncodedBatch batch = cache.Get({index});
    EXPECT_TRUE(at::equal(batch.latents[0], encoded.latents.to(at::kHalf).to(at::kFloat)));
    EXPECT_TRUE(at::equal(batch.camera[0], encoded.camera));
    EXPECT_TRUE(at::equal(batch.text[0], encoded.text));
  }
}

// With the encoders beside it, and nothing of the network.
TEST_F(DemoCacheTest, KeepsTheEncoders) {
  Collect(Options(1), "cache");
  const fs::path model = folder_ / "cache" / "model";
  const BundleConfig config = LoadBundleConfig(model);
  EXPECT_EQ(EncodingOf(model, config),
            EncodingOf(folder_ / "model", LoadBundleConfig(folder_ / "model")));
  EXPECT_FALSE(fs::exists(model / config.dit_file));
}

TEST_F(DemoCacheTest, TheNumberOfWorkersChangesNothing) {
  DemoCollectionOptions options = Options(40);
  Collect(options, "two");
  options.num_workers = 1;
  Collect(options, "one");
  EXPECT_TRUE(Shards("one") == Shards("two"));
  EXPECT_EQ(Shards("one").size(), 3U);
}

TEST_F(DemoCacheTest, ResumeMakesOnlyWhatIsMissing) {
  Collect(Options(20), "cache");
  const auto whole = Shards("cache");
  fs::remove(folder_ / "cache" / "shard_000001.safetensors");
  fs::remove(folder_ / "cache" / "cache.json");
  script_.made.clear();
  const json report = Collect(Options(20), "cache");
  EXPECT_EQ(report["written"], 4);
  EXPECT_EQ(report["existing"], 16);
  EXPECT_EQ(report["episodes"], 20);
  EXPECT_EQ(script_.made.size(), 4U);
  EXPECT_TRUE(Shards("cache") == whole);
}

// The same further seeds as for videos; what never succeeds is named, also by a later start.
TEST_F(DemoCacheTest, FailuresAreRetriedCountedAndNamed) {
  script_.succeeds = [](uint64_t seed) { return seed != 51 && seed != 52; };
  json report = Collect(Options(4), "cache");
  EXPECT_EQ(report["written"], 4);
  EXPECT_EQ(report["retried"], 2);
  script_.succeeds = [](uint64_t seed) { return seed < 52; };
  for (const int written : {2, 0}) {
    report = Collect(Options(3), "failing");
    EXPECT_EQ(report["written"], written);
    EXPECT_EQ(report["episodes"], 2);
    ASSERT_EQ(report["failed"].size(), 1U);
    EXPECT_EQ(report["failed"][0]["episode"], "reach/variation0/episode2");
    EXPECT_EQ(report["cache"]["clips"], 4);
  }
}

TEST_F(DemoCacheTest, WhatDoesNotFitIsRefused) {
  struct Row {
    const char* name;
    std::function<void(DemoCollectionOptions&)> change;
    std::vector<std::string> words;
  };
  for (const Row& row : {
           Row{"model", [](auto& options) { options.model = ""; }, {"--model", "not given"}},
           Row{"size",
               [](auto& options) { options.image_size = 64; },
               {"image_size is 64", "32x32"}},
           Row{"rate",
               [](auto& options) { options.frame_period_s = 0.2; },
               {"frame_period_s is 0.2", "0.125"}},
           Row{"task", [](auto& options) { options.task = {"reech"}; }, {"task", "reech"}},
       }) {
    SCOPED_TRACE(row.name);
    DemoCollectionOptions options = Options(1);
    row.change(options);
    testing::ExpectThrowsWith<ConfigError>([&] { Collect(options, "refused"); }, row.words);
    EXPECT_FALSE(fs::exists(folder_ / "refused"));
  }
}

TEST_F(DemoCacheTest, OtherOptionsInTheSameFolderAreRefused) {
  Collect(Options(2), "cache");
  for (const auto& [key, change] :
       std::map<std::string, std::function<void(DemoCollectionOptions&)>>{
           {"episodes is 3", [](auto& options) { options.episodes = 3; }},
           {"per_episode is 3", [](auto& options) { options.per_episode = 3; }},
           {"pixels is true", [](auto& options) { options.pixels = true; }},
           {"first_seed is 5", [](auto& options) { options.first_seed = 5; }}}) {
    DemoCollectionOptions options = Options(2);
    change(options);
    testing::ExpectThrowsWith<ConfigError>([&] { Collect(options, "cache"); },
                                           {key, "another --out"});
  }
}

// The shipped model's clips: room for tens of thousands in memory.
TEST_F(DemoCacheTest, TenThousandClipsOfTheSmallModelAreBelowTwoGigabytes) {
  script_.shape = {.num_frames = 20, .size_px = 64};
  DemoCollectionOptions options = Options(16);
  options.model = (testing::SourceDir() / "assets" / "tiny").string();
  options.image_size = 64;
  options.frame_period_s = 0.12;
  options.per_episode = 4;
  const json report = Collect(options, "cache");
  ASSERT_EQ(report["cache"]["clips"], 64);
  EXPECT_LT(report["cache"]["size_bytes"].get<double>() / 64 * 10000, 2e9);
}

}  // namespace
}  // namespace aim
