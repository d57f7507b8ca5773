// Episodes that a training cannot use: left out, counted and named.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/bundle/bundle.h"
#include "aim/format/npy.h"
#include "aim/tensor/safetensors.h"
#include "aim/train/dataset.h"
#include "aim/train/run_train.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "train/training_data.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class LeftOutTest : public ::testing::Test {
 protected:
  LeftOutTest() : options_(testing::TinyTraining(folder_ / "data")) {
    testing::WriteTrainingData(folder_ / "data");
    options_.train.validation_episodes = 0;
    options_.train.steps = 1;
  }

  TrainReport Train(const std::string& out, bool resume = false) {
    RunContext run({.out = folder_ / out, .resume = resume});
    TrainReport report = RunTrain(options_, run).value();
    run.WriteRunRecord({}, {}, 0);
    return report;
  }
  nlohmann::json Notes(const std::string& out) const {
    return nlohmann::json::parse(ReadFile(folder_ / out / "run.json"))["notes"];
  }

  testing::TemporaryFolder folder_;
  TrainRunOptions options_;
};

TEST_F(LeftOutTest, ADamagedEpisodeIsNamed) {
  testing::DamageEpisode(folder_ / "data", 1);
  const TrainReport report = Train("run");
  ASSERT_EQ(report.skipped.size(), 1U);
  EXPECT_EQ(report.skipped[0].episode, "reach_target/variation0/episode1");
  EXPECT_EQ(Notes("run")["training_clips"], 10);  // 5 of 6 episodes, 2 clips each
  EXPECT_EQ(Notes("run")["skipped"], ToJson(report.skipped));
}

// A later start reads the finished cache and none of the episodes.
TEST_F(LeftOutTest, AResumedRunNamesItAgain) {
  testing::DamageEpisode(folder_ / "data", 1);
  const TrainReport first = Train("run");
  options_.train.steps = 2;
  const TrainReport resumed = Train("run", true);
  EXPECT_EQ(resumed.train_step, 2);
  EXPECT_EQ(ToJson(resumed.skipped), ToJson(first.skipped));
  WriteFileAtomic(folder_ / "run/cache/left_out.json", R"({"left_out": [7]})");
  options_.train.steps = 3;
  testing::ExpectThrowsWith<InputError>([&] { Train("run", true); }, {"left_out.json"});
}

TEST_F(LeftOutTest, AHeldOutEpisodeMayBeDamagedToo) {
  options_.train.validation_episodes = 3;
  const DataSplit split = ListTrainingData(options_.data, 3, 0);
  testing::DamageEpisode(folder_ / "data", split.validation[0].ref.index);
  testing::DamageEpisode(folder_ / "data", split.validation[2].ref.index);
  const TrainReport report = Train("run");
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(report.skipped.size(), 2U);
  EXPECT_EQ(testing::ReadMetrics(folder_ / "run").back()["validation"]["i2a"]["clips"], 1);
}

// A pose that is no number, in the middle of the file.
TEST_F(LeftOutTest, AnEpisodeWithANumberThatIsNoneIsNamed) {
  const fs::path file = testing::TrainingEpisodePath(folder_ / "data", 2) / "actions.npy";
  std::vector<double> values = ToDoubles(ReadNpy(file));
  values[3 * 8 + 1] = std::nan("");
  WriteNpy(file, {static_cast<int64_t>(values.size() / 8), 8}, values);
  const TrainReport report = Train("run");
  ASSERT_EQ(report.skipped.size(), 1U);
  EXPECT_EQ(report.skipped[0].episode, "reach_target/variation0/episode2");
  EXPECT_THAT(report.skipped[0].problem, HasSubstr("actions.npy row 3"));
  EXPECT_TRUE(std::isfinite(report.loss));
}

// An autoencoder whose latents float16 cannot hold.
TEST_F(LeftOutTest, AnEpisodeThatEncodesToInfinityIsNamed) {
  testing::WriteTinyBundle(folder_ / "tiny");
  const BundleConfig config = LoadBundleConfig(folder_ / "tiny");
  WeightMap autoencoder = ReadSafetensors(folder_ / "tiny" / config.autoencoder.file);
  for (auto& [name, weight] : autoencoder) {
    if (name.ends_with(".scale")) weight = weight * 1e-6;
  }
  WriteBundle(folder_ / "wild", config, LoadBundle(folder_ / "tiny").dit.NamedWeights(),
              autoencoder, at::kFloat);
  testing::StartFrom(folder_ / "wild", options_);
  std::vector<std::string> messages;
  SetLogSink([&](LogLevel, const std::string& message) { messages.push_back(message); });
  testing::ExpectThrowsWith<InputError>([&] { Train("run"); }, {"without a readable episode"});
  SetLogSink({});
  EXPECT_EQ(std::ranges::count_if(messages,
                                  [](const std::string& message) {
                                    return message.find("encoded to numbers that are not finite") !=
                                           std::string::npos;
                                  }),
            6);
}

// A share so small that nothing is left of it.
TEST_F(LeftOutTest, ARatioThatLeavesNothingIsRefused) {
  options_.data[0] += "@0.000001";
  testing::ExpectThrowsWith<InputError>([&] { Train("run"); },
                                        {"without an episode to train on", "@0.000001", "ratio"});
}

TEST_F(LeftOutTest, NothingButDamagedEpisodesIsRefused) {
  for (int episode = 0; episode < 6; ++episode) testing::DamageEpisode(folder_ / "data", episode);
  testing::ExpectThrowsWith<InputError>([&] { Train("run"); }, {"without a readable episode"});
}

TEST_F(LeftOutTest, ADataSetOfAnotherSizeIsRefused) {
  testing::WriteTrainingData(folder_ / "large", {.num_episodes = 2, .size_px = 48});
  options_.data.push_back((folder_ / "large").string());
  testing::ExpectThrowsWith<InputError>([&] { Train("run"); }, {"32x32", "48x48", "large"});
}

// Among those that are trained on, and held out.
TEST_F(LeftOutTest, AnEpisodeOfAnotherSizeIsNamed) {
  options_.train.validation_episodes = 2;
  testing::WriteTrainingData(folder_ / "large", {.size_px = 48});
  const DataSplit split = ListTrainingData(options_.data, 2, 0);
  for (const int stray : {split.training[0].ref.index, split.validation[1].ref.index}) {
    const std::string name = std::to_string(stray);
    const fs::path data = folder_ / name;
    testing::WriteTrainingData(data);
    fs::remove_all(testing::TrainingEpisodePath(data, stray));
    fs::copy(testing::TrainingEpisodePath(folder_ / "large", stray),
             testing::TrainingEpisodePath(data, stray), fs::copy_options::recursive);
    options_.data = {data.string()};
    const TrainReport report = Train("run" + name);
    EXPECT_TRUE(report.finished);
    ASSERT_EQ(report.skipped.size(), 1U) << stray;
    EXPECT_EQ(report.skipped[0].episode, "reach_target/variation0/episode" + name);
    EXPECT_THAT(report.skipped[0].problem, HasSubstr("48x48 pixels"));
  }
}

}  // namespace
}  // namespace aim
