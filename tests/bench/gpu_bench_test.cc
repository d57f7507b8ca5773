// The benchmark of the 5 B system and its eager counterpart, at a toy size on the CPU.
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
  std::vector<std::string> command{Binary("gpu_bench"), "--config",
                                   (SourceDir() / "bench/toy.json").string()};
  command.insert(command.end(), words.begin(), words.end());
  return RunCommand(command);
}

void ExpectPositive(const json& report, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    ASSERT_TRUE(report.contains(key)) << key << " in " << report;
    ASSERT_TRUE(report[key].is_number()) << key << " in " << report;
    const double value = report[key];
    EXPECT_TRUE(std::isfinite(value) && value > 0) << key << " is " << value;
  }
}

TEST(GpuBenchTest, ReportsEverythingThatIsAskedFor) {
  const CommandResult result = RunBench({});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  ExpectPositive(report, {"parameters", "tokens", "passes_per_step", "forward_s", "forward_tflop",
                          "tflop_per_s", "step_s", "steps", "denoise_s", "decode_s", "sample_s",
                          "plan_steps", "plan_denoise_guided_s", "plan_guided_s", "plan_s"});
  EXPECT_EQ(report["device"], "cpu");
  EXPECT_EQ(report["passes_per_step"], 2);
  EXPECT_EQ(report["tokens"], 2 * 2 * 3 * 2 * 2);  // views, segments, frames, rows, columns
  // Of the whole machine's memory the share of tensors is not known.
  EXPECT_TRUE(report.at("model_gib").is_null());
  EXPECT_TRUE(report.at("peak_gib").is_null());
}

TEST(GpuBenchTest, RunsInBfloat16) {
  const CommandResult result = RunBench({"--dtype", "bf16", "--steps", "1"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  ExpectPositive(json::parse(result.out), {"sample_s", "plan_s"});
}

// With three layers, of which one is of eight bits.
TEST(GpuBenchTest, RunsInEightBitsWithTheAutoencoderOnDemand) {
  const CommandResult result =
      RunBench({"--dtype", "fp8", "--steps", "1", "--dit.num_layers", "3", "--offload", "true"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  ExpectPositive(report, {"sample_s", "plan_s"});
  ExpectPositive(report["plan_recipe"], {"denoise_s", "plan_s"});
  ExpectPositive(report["from_bf16"], {"relative_error", "cosine"});
  EXPECT_GT(report["from_bf16"]["cosine"], 0.98);
  EXPECT_EQ(report["passes_per_step"], 2);
  ExpectPositive(report["memory"], {"estimated_gib"});
  EXPECT_TRUE(report["memory"].at("peak_gib").is_null());
}

TEST(GpuBenchTest, RefusesWrongArguments) {
  const struct {
    std::vector<std::string> words;
    const char* message;
  } kCases[] = {{{"--step", "3"}, "steps"},
                {{"--steps", "0"}, "[1, 1000]"},
                {{"--device", "tpu"}, "cpu, cuda or cuda:N"},
                {{"--steps"}, "--KEY VALUE"},
                {{"--latent_side"}, "--KEY VALUE"},
                {{"--config", "missing.json"}, "missing.json"},
                {{"--dtype", "fp8"}, "dit.num_layers is 2"}};
  for (const auto& [words, message] : kCases) {
    const CommandResult result = RunBench(words);
    EXPECT_EQ(result.exit_code, 2) << words[0];
    EXPECT_THAT(result.err, HasSubstr(message)) << words[0];
  }
}

// Both programs do the same work: on the same weights and inputs they get the same results. In
// float32, after three steps of two layers with guidance.
TEST(GpuBenchTest, TheEagerProgramComputesTheSame) {
  const std::string python = PythonWith("torch, safetensors.torch");
  if (python.empty()) GTEST_SKIP() << "no Python with torch and safetensors";
  const TemporaryFolder folder;
  const std::string tensors = (folder / "tensors.safetensors").string();
  const CommandResult ours = RunBench({"--tensors", tensors});
  ASSERT_EQ(ours.exit_code, 0) << ours.err;
  const CommandResult theirs =
      RunCommand({python, (SourceDir() / "bench/eager_wan.py").string(), "--config",
                  (SourceDir() / "bench/toy.json").string(), "--tensors", tensors});
  ASSERT_EQ(theirs.exit_code, 0) << theirs.err;
  const json report = json::parse(ours.out), eager = json::parse(theirs.out);
  ExpectPositive(eager, {"forward_s", "step_s", "denoise_s", "plan_denoise_guided_s"});
  for (const char* same :
       {"device", "dtype", "parameters", "tokens", "passes_per_step", "steps", "plan_steps"}) {
    EXPECT_EQ(report.at(same), eager.at(same)) << same;
  }
  EXPECT_LE(eager.at("largest_difference").at("forward").get<double>(), 1e-5);
  EXPECT_LE(eager.at("largest_difference").at("denoise").get<double>(), 1e-4);
}

}  // namespace
}  // namespace aim::testing
