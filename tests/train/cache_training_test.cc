// Training from a finished cache alone.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/bundle/encoding.h"
#include "aim/tensor/safetensors.h"
#include "aim/train/run_train.h"
#include "policy/tiny_bundle.h"
#include "support/count_parts.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "train/tiny_training.h"
#include "train/training_setup.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class CacheTrainingTest : public ::testing::Test {
 protected:
  CacheTrainingTest() : options_(testing::TinyTraining()) {
    testing::WriteTinyBundle(folder_ / "initial");
    options_.clips.dir = (folder_ / "cache").string();
    options_.train.steps = 2;
    options_.train.validation_episodes = 2;
    MakeCache(false);
  }

  static Clip ClipOf(int64_t item, int64_t clip) {
    return testing::MakeSyntheticClip(testing::kTinyFrames,
                                      static_cast<uint64_t>(100 * item + clip));
  }

  // Six episodes of two clips.
  void MakeCache(bool keep_pictures) const {
    const fs::path initial = folder_ / "initial";
    const BundleConfig config = LoadBundleConfig(initial);
    const auto autoencoder = LoadAutoencoder(initial, config);
    const auto text = LoadTextEncoder(initial, config);
    const ClipEncoder encoder{autoencoder.get(), text.get(), config.dit, config.action_image,
                              config.num_frames};
    const auto make = [&](int64_t item) {
      std::vector<CachedClip> clips;
      for (int64_t i = 0; i < 2; ++i) {
        Clip clip = ClipOf(item, i);
        EncodedClip encoded = encoder.Encode(clip);
        clips.push_back({std::move(encoded), std::move(clip)});
      }
      return clips;
    };
    fs::remove_all(folder_ / "cache");
    BuildLatentCache(folder_ / "cache", {.key = "key",
                                         .num_items = 6,
                                         .keep_pictures = keep_pictures,
                                         .start_worker = [&] { return make; }});
    WriteEncoders(folder_ / "cache" / "model", config, initial);
  }

  TrainReport Train(const std::string& out) const {
    RunContext run({.out = folder_ / out});
    return RunTrain(options_, run).value();
  }

  TrainingSetup Prepare() {
    RunContext run({.out = folder_ / ("prepared" + std::to_string(num_prepared_++))});
    return PrepareTraining(options_, run);
  }

  nlohmann::json LastMetrics(const std::string& out) const {
    return testing::ReadMetrics(folder_ / out).back();
  }

  testing::TemporaryFolder folder_;
  TrainRunOptions options_;
  int num_prepared_ = 0;
};

TEST_F(CacheTrainingTest, TrainsValidatesAndWritesABundle) {
  const TrainReport report = Train("run");
  EXPECT_TRUE(report.finished);
  const nlohmann::json validation = LastMetrics("run")["validation"];
  for (const char* mode : {"i2a", "i2va", "v2a", "a2v", "i2v"})
    EXPECT_EQ(validation[mode]["clips"], 2) << mode;
  const Bundle bundle = LoadBundle(report.bundle);
  EXPECT_EQ(bundle.config.dit.num_layers, 1);
  EXPECT_EQ(bundle.config.fps, ClipOf(0, 0).fps);
  EXPECT_EQ(EncodingOf(report.bundle, bundle.config)["autoencoder_weights"],
            EncodingOf(folder_ / "initial",
                       LoadBundleConfig(folder_ / "initial"))["autoencoder_weights"]);
}

TEST_F(CacheTrainingTest, TheMetricsTellOfWaitingAndMemory) {
  Train("run");
  const std::vector<nlohmann::json> lines = testing::ReadMetrics(folder_ / "run");
  ASSERT_GE(lines.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_GT(lines[i]["data_wait"].get<double>(), 0);
    EXPECT_LT(lines[i]["data_wait"].get<double>(), 1);
    EXPECT_GT(lines[i]["peak_memory_bytes"].get<int64_t>(), int64_t{10} << 20);
    EXPECT_GT(lines[i]["samples_per_s"].get<double>(), 0);
  }
  std::string events;  // TensorBoard's
  for (const auto& entry : fs::directory_iterator(folder_ / "run")) {
    if (entry.path().filename().string().starts_with("events.out")) events = ReadFile(entry.path());
  }
  for (const char* tag : {"train/data_wait", "train/peak_memory_bytes", "train/samples_per_s"})
    EXPECT_THAT(events, HasSubstr(tag));
}

// One page that holds everything: numbers, curves, samples of every mode beside what was recorded.
TEST_F(CacheTrainingTest, ThePageTellsOfTheRun) {
  Train("run");
  const std::string page = ReadFile(folder_ / "run" / "report.html");
  for (const char* words : {"Finished. The model is in bundle/", "<div class=big>2</div>",
                            "of 2 steps", "Measured at step 2 on 2 held-out clips: few",
                            "8 clips of 4 episodes: 9 frames, 2 views of 32x32", "2 episodes",
                            "a new network", "loss</figcaption>"})
    EXPECT_THAT(page, HasSubstr(words));
  EXPECT_THAT(page, Not(HasSubstr("http-equiv=refresh")));
  std::string text = page;  // without the bytes of pictures, which may spell anything
  for (size_t at = 0; (at = text.find("src=\"", at)) != std::string::npos;)
    text.erase(at, text.find('"', at + 5) + 1 - at);
  EXPECT_THAT(text, Not(HasSubstr("nan")));
  // Of two clips: i2a and v2a have two rows, a2v and i2v too, i2va four.
  EXPECT_EQ(testing::CountParts(page, "src=\"data:image/png;base64,"), 2U * 12U);
  const size_t num_videos = testing::CountParts(page, "src=\"data:video/mp4;base64,");
  EXPECT_EQ(testing::CountParts(page, "src="), 2U * 12U + num_videos);
  EXPECT_THAT(page, HasSubstr("of the workers&#39; time to fetch clips"));
  EXPECT_THAT(page, HasSubstr("time spent fetching clips"));
  EXPECT_THAT(page, HasSubstr("iB</b>"));
  EXPECT_EQ(testing::CountParts(page, "http"), 0U);  // nothing from elsewhere
}

// A validation of a large model takes long: it is no hang.
TEST_F(CacheTrainingTest, TheProgressSaysWhatIsValidated) {
  std::ostringstream progress;
  RunContext run({.out = folder_ / "run"}, &progress, false);
  RunTrain(options_, run);
  EXPECT_THAT(progress.str(), HasSubstr("train 2/2"));
  EXPECT_THAT(progress.str(), HasSubstr("validating i2v on 2 clips"));
  EXPECT_THAT(progress.str(), HasSubstr("samples 5/5"));
}

TEST_F(CacheTrainingTest, ThePageOfARunWithoutHeldOutEpisodesSaysSo) {
  options_.train.validation_episodes = 0;
  Train("run");
  const std::string page = ReadFile(folder_ / "run" / "report.html");
  EXPECT_THAT(page, HasSubstr("No episode is held out: nothing is measured."));
  EXPECT_THAT(page, HasSubstr("No episode is held out to make samples of."));
  EXPECT_THAT(page, HasSubstr("loss</figcaption>"));
}

TEST_F(CacheTrainingTest, ANetworkIsTrainedOn) {
  testing::StartFrom(folder_ / "initial", options_);
  const TrainReport report = Train("run");
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(LoadBundleConfig(report.bundle).dit.num_layers, testing::TinyConfig().dit.num_layers);
}

// The last episodes are held out, whole; each is measured by its first clip.
TEST_F(CacheTrainingTest, TheLastEpisodesAreHeldOut) {
  for (const int asked : {-1, 0, 2}) {
    options_.train.validation_episodes = asked;
    const size_t held_out = asked == -1 ? 1 : static_cast<size_t>(asked);
    const TrainingSetup setup = Prepare();
    ASSERT_EQ(setup.validation.size(), held_out);
    EXPECT_EQ(setup.cache->size(), 12 - 2 * static_cast<int64_t>(held_out));
    for (size_t i = 0; i < held_out; ++i) {
      const auto item = static_cast<int64_t>(6 - held_out + i);
      EXPECT_EQ(ToNumbers(setup.validation.with_actions[i].poses[4]),
                ToNumbers(ClipOf(item, 0).poses[4]));
    }
  }
  options_.train.validation_episodes = 6;
  testing::ExpectThrowsWith<ConfigError>([&] { Prepare(); }, {"validation_episodes", "6 episodes"});
}

// Their pictures are the cache's own, or what the autoencoder makes of their latents: close to
// them, as this autoencoder keeps most of a picture.
TEST_F(CacheTrainingTest, HeldOutClipsHavePictures) {
  const Clip truth = ClipOf(5, 0);
  const auto mean_error = [&](const Clip& clip) {
    EXPECT_EQ(clip.views.size(), 2U);
    EXPECT_EQ(clip.views[0].num_frames, testing::kTinyFrames);
    EXPECT_EQ(clip.views[0].rgb.size(), truth.views[0].rgb.size());
    double sum = 0;
    for (size_t i = 0; i < truth.views[0].rgb.size(); ++i)
      sum += std::abs(clip.views[0].rgb.at(i) - truth.views[0].rgb[i]);
    return sum / static_cast<double>(truth.views[0].rgb.size());
  };
  const double decoded = mean_error(Prepare().validation.with_actions.back());
  EXPECT_GT(decoded, 0);
  EXPECT_LT(decoded, 25);  // of 255
  MakeCache(true);
  EXPECT_EQ(mean_error(Prepare().validation.with_actions.back()), 0);
}

TEST_F(CacheTrainingTest, AnotherAutoencoderIsRefused) {
  const BundleConfig config = LoadBundleConfig(folder_ / "initial");
  const Bundle initial = LoadBundle(folder_ / "initial");
  WeightMap autoencoder = ReadSafetensors(folder_ / "initial" / config.autoencoder.file);
  for (auto& [name, weight] : autoencoder) weight = weight * 1.5;
  WriteBundle(folder_ / "other", config, initial.dit.NamedWeights(), autoencoder, at::kFloat);
  testing::StartFrom(folder_ / "other", options_);
  testing::ExpectThrowsWith<ConfigError>(
      [&] { Train("run"); },
      {"--init", "encodes otherwise: autoencoder_weights", "as in the cache"});
  EXPECT_FALSE(fs::exists(folder_ / "run"));
}

TEST_F(CacheTrainingTest, ANetworkOfOtherCamerasIsRefused) {
  options_.dit.camera.frame = CameraFrame::kAbsolute;
  testing::ExpectThrowsWith<ConfigError>([&] { Train("run"); },
                                         {"dit", "camera", "as in the cache"});
}

// Before the first step, and nothing is trained: 65 536 samples at the same time.
TEST_F(CacheTrainingTest, WhatDoesNotFitIntoMemoryIsRefusedWithWhatWould) {
  options_.dit.num_layers = 60;
  options_.train.batch_size = 65536;
  options_.train.microbatch = 4096;
  options_.train.num_workers = 16;
  testing::ExpectThrowsWith<ConfigError>(
      [&] { Train("run"); },
      {"training (weights", "activations", "train.gradient_checkpointing = true takes"});
  EXPECT_FALSE(fs::exists(folder_ / "run/metrics.jsonl"));
}

// How a step is worked on may change; a GPU wants other microbatches than a processor.
TEST_F(CacheTrainingTest, AResumedRunMayHaveAnotherMicrobatch) {
  options_.train.steps = 1;
  Train("run");
  options_.train.steps = 2;
  options_.train.microbatch = 2;
  RunContext run({.out = folder_ / "run", .resume = true});
  EXPECT_EQ(RunTrain(options_, run).value().train_step, 2);
}

TEST_F(CacheTrainingTest, WhatIsNoCacheIsRefused) {
  fs::remove(folder_ / "cache" / "cache.json");
  testing::ExpectThrowsWith<InputError>([&] { Train("run"); }, {"not a finished latent cache"});
  MakeCache(false);
  fs::remove_all(folder_ / "cache" / "model");
  testing::ExpectThrowsWith<InputError>([&] { Train("run"); }, {"model"});
  options_.clips.dir = "";
  testing::ExpectThrowsWith<ConfigError>([&] { Train("run"); }, {"--data", "clips.dir"});
  EXPECT_FALSE(fs::exists(folder_ / "run"));
}

}  // namespace
}  // namespace aim
