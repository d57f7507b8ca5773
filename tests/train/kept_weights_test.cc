// What a run leaves beside its last step: the best validation, further averages.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "aim/base/error.h"
#include "aim/bundle/bundle.h"
#include "aim/train/run_train.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "train/training_data.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

class KeptWeightsTest : public ::testing::Test {
 protected:
  KeptWeightsTest() : options_(testing::TinyTraining(folder_ / "data")) {
    testing::WriteTrainingData(folder_ / "data");
    options_.train.validation_episodes = 0;
    options_.train.checkpoint_every = 1;
  }

  TrainReport RunHere(const std::string& out, bool resume = false) {
    RunContext run({.out = folder_ / out, .resume = resume});
    return RunTrain(options_, run).value();
  }

  testing::TemporaryFolder folder_;
  TrainRunOptions options_;
};

// Of video alone, where the best is judged by its pictures.
TEST_F(KeptWeightsTest, TheBestValidationIsKeptAsABundle) {
  options_.train.validation_episodes = 1;
  options_.train.validate_every = 1;
  options_.train.keep_checkpoints = 1;
  options_.train.mix = {{"i2v", 1}};
  options_.train.lr = 0.3;  // gets worse after a while
  options_.train.steps = 6;
  options_.train.ship = Shipped::kBest;
  const TrainReport report = RunHere("run");
  ASSERT_TRUE(report.best.is_object()) << report.best;
  EXPECT_EQ(report.best["metric"], "psnr_db");
  double best = 0;
  for (const nlohmann::json& line : testing::ReadMetrics(folder_ / "run")) {
    if (line.contains("validation"))
      best = std::max<double>(best, line["validation"]["i2v"]["psnr_db"]);
  }
  EXPECT_EQ(report.best["value"], best);
  const fs::path folder = folder_ / "run" / "best";
  EXPECT_EQ(nlohmann::json::parse(ReadFile(folder / "best.json")), report.best);
  EXPECT_NO_THROW(LoadBundle(folder));
  EXPECT_EQ(ReadFile(folder / "dit.safetensors"),
            ReadFile(folder_ / "run" / "bundle" / "dit.safetensors"));
  const int64_t step = report.best["train_step"];
  EXPECT_LT(step, 6);
  char name[32];
  std::snprintf(name, sizeof(name), "step_%08d", static_cast<int>(step));
  EXPECT_TRUE(fs::exists(folder_ / "run" / "checkpoints" / name));
  EXPECT_TRUE(fs::exists(folder_ / "run/checkpoints/step_00000006"));
}

// Killed between a validation and what is kept of it.
TEST_F(KeptWeightsTest, ABestThatWasCutOffIsMadeUp) {
  options_.train.validation_episodes = 1;
  options_.train.mix = {{"i2v", 1}};
  options_.train.steps = 2;
  RunHere("run");
  const std::string before = ReadFile(folder_ / "run/best/dit.safetensors");
  fs::remove_all(folder_ / "run/best");
  RunHere("run", true);
  EXPECT_EQ(ReadFile(folder_ / "run/best/dit.safetensors"), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "run/best"), {}),
            std::distance(fs::directory_iterator(folder_ / "run/bundle"), {}) + 1);
}

TEST_F(KeptWeightsTest, WithoutAValidationNoBestIsShipped) {
  options_.train.ship = Shipped::kBest;
  options_.train.steps = 1;
  RunContext run({.out = folder_ / "run"});
  testing::ExpectThrowsWith<ConfigError>([&] { RunTrain(options_, run); },
                                         {"train.ship is best", "train.validation_episodes"});
}

// A bundle of each further average; other decays are another run.
TEST_F(KeptWeightsTest, FurtherAveragesAreBundles) {
  options_.train.more_ema = {0.5, 0.9999};
  options_.train.ema = 0;
  options_.train.steps = 12;
  RunHere("run");
  const auto network = [&](const char* bundle) {
    EXPECT_NO_THROW(LoadBundle(folder_ / "run" / bundle));
    return ReadFile(folder_ / "run" / bundle / "dit.safetensors");
  };
  EXPECT_NE(network("bundle-ema-0.5"), network("bundle"));
  EXPECT_NE(network("bundle-ema-0.5"), network("bundle-ema-0.9999"));
  options_.train.more_ema = {0.5};
  RunContext other({.out = folder_ / "run", .resume = true});
  testing::ExpectThrowsWith<ConfigError>([&] { RunTrain(options_, other); }, {"train.more_ema"});
  options_.train.more_ema = {0.5, 0.5};
  RunContext twice({.out = folder_ / "twice"});
  testing::ExpectThrowsWith<ConfigError>([&] { RunTrain(options_, twice); },
                                         {"train.more_ema is a decay twice"});
}

TEST_F(KeptWeightsTest, OptionsThatContradictTheBundleAreRefused) {
  options_.train.steps = 1;
  RunHere("run");
  options_.init = (folder_ / "run" / "bundle").string();
  RunHere("same");
  options_.dit.num_layers = 3;
  RunContext run({.out = folder_ / "other"});
  testing::ExpectThrowsWith<ConfigError>([&] { RunTrain(options_, run); },
                                         {"dit.num_layers is 3", "1", "--init"});
}

// Who reads the data next would read it.
TEST_F(KeptWeightsTest, ARunInsideOfItsDataIsRefused) {
  const std::string data = options_.data.front();
  for (const char* ratio : {"", "@2"}) {
    options_.data = {data + ratio};
    RunContext run({.out = folder_ / "data" / "run"});
    testing::ExpectThrowsWith<ConfigError>([&] { RunTrain(options_, run); }, {"--out"});
    EXPECT_FALSE(std::filesystem::exists(folder_ / "data" / "run" / "metrics.jsonl"));
  }
}

}  // namespace
}  // namespace aim
