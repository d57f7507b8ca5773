// The benchmark of training steps and its eager counterpart, at a toy size on the CPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/python.h"
#include "support/run_command.h"
#include "support/source_dir.h"

namespace aim::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

CommandResult RunBench(const std::vector<std::string>& words) {
  std::vector<std::string> command{Binary("train_bench"), "--config",
                                   (SourceDir() / "bench/toy_train.json").string(), "--recipe",
                                   (SourceDir() / "configs/train/tiny.toml").string()};
  command.insert(command.end(), words.begin(), words.end());
  return RunCommand(command);
}

void ExpectPositive(const json& part, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    ASSERT_TRUE(part.contains(key) && part[key].is_number()) << key << " in " << part;
    EXPECT_TRUE(std::isfinite(part[key].get<double>()) && part[key] > 0) << key << " in " << part;
  }
}

TEST(TrainBenchTest, TimesStepsOfBothNetworks) {
  const CommandResult result = RunBench({});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  ASSERT_EQ(report.at("small").size(), 2U);
  for (const json& part : report["small"]) {
    ExpectPositive(part, {"batch", "step_s", "samples_per_s", "step_tflop", "share_of_ceiling",
                          "forward_share", "backward_share", "optimizer_share"});
    EXPECT_GE(part.at("data_wait").get<double>(), 0);
    EXPECT_LE(part.at("data_wait").get<double>(), 1);
    EXPECT_TRUE(part.at("peak_gib").is_null());  // of the whole machine's memory it is not known
  }
  ExpectPositive(report.at("large"),
                 {"trained_blocks", "trained_numbers", "step_s", "step_tflop", "tflop_per_s"});
}

TEST(TrainBenchTest, RefusesWrongArguments) {
  for (const auto& [words, message] : std::vector<std::pair<std::vector<std::string>, const char*>>{
           {{"--batch", "3"}, "batches"},
           {{"--batches", "[0]"}, "[1, 65536]"},
           {{"--device", "tpu"}, "cpu, cuda or cuda:N"},
           {{"--recipe", "missing.toml"}, "missing.toml"}}) {
    const CommandResult result = RunBench(words);
    EXPECT_EQ(result.exit_code, 2) << words[0];
    EXPECT_THAT(result.err, HasSubstr(message)) << words[0];
  }
}

// Its network has as many weights as that of the recipe.
TEST(TrainBenchTest, TheEagerProgramTakesTheSameSteps) {
  const std::string python = PythonWith("torch");
  if (python.empty()) GTEST_SKIP() << "no Python with torch";
  const CommandResult result =
      RunCommand({python, (SourceDir() / "bench/eager_train.py").string(), "--config",
                  (SourceDir() / "bench/toy_train.json").string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  const CommandResult ours = RunBench({"--batches", "[2]"});
  ASSERT_EQ(ours.exit_code, 0) << ours.err;
  EXPECT_EQ(report.at("parameters"), json::parse(ours.out).at("small")[0].at("parameters"));
  ASSERT_EQ(report.at("small").size(), 2U);
  for (const json& part : report["small"]) ExpectPositive(part, {"step_s", "samples_per_s"});
}

}  // namespace
}  // namespace aim::testing
