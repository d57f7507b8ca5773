#include "aim/pipeline/evaluate_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "pipeline/clip_files.h"
#include "support/run_command.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "support/wan_bundle.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using testing::kTinyFrames;
using testing::MakeSyntheticClip;
using testing::TemporaryFolder;

class EvaluateModelTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    testing::WriteTinyBundle(*folder_ / "model");
    for (uint64_t seed = 0; seed < 5; ++seed) {
      testing::WriteClipFiles(*folder_ / "clips" / std::to_string(seed),
                              MakeSyntheticClip(kTinyFrames + 2, 60 + seed));
    }
  }
  static void TearDownTestSuite() { delete folder_; }

  static EvaluateModelOptions Options() {
    EvaluateModelOptions options;
    options.model.model = (*folder_ / "model").string();
    options.data.path = (*folder_ / "clips").string();
    return options;
  }

  static TemporaryFolder* folder_;
};
TemporaryFolder* EvaluateModelTest::folder_ = nullptr;

TEST_F(EvaluateModelTest, EveryModeHasItsNumbers) {
  const fs::path out = *folder_ / "evaluation.json";
  RunContext run({.out = out});
  const EvaluationReport measured = RunEvaluateModel(Options(), run);
  const nlohmann::json report = ToJson(measured);
  EXPECT_EQ(nlohmann::json::parse(ReadFile(out))["fingerprint"], report["fingerprint"]);
  const nlohmann::json& modes = report["modes"];
  for (const char* mode : {"i2a", "i2va", "v2a", "v2a_no_first_pose", "codec_floor"}) {
    EXPECT_EQ(modes[mode]["clips"], 5) << mode;
    EXPECT_EQ(modes[mode]["frames"], 5 * (kTinyFrames - 1)) << mode;
  }
  for (const char* mode : {"i2va", "a2v", "i2v", "autoencoder_floor"}) {
    const nlohmann::json& interval = modes[mode]["interval"]["psnr_db"];
    EXPECT_LE(interval[0], modes[mode]["psnr_db"]) << mode;
    EXPECT_GE(interval[1], modes[mode]["psnr_db"]) << mode;
  }
  EXPECT_FALSE(modes["i2a"].contains("psnr_db"));
  EXPECT_FALSE(modes["i2v"].contains("position_mm"));
  const std::string table = EvaluationTable(measured);
  for (const auto& [mode, numbers] : modes.items())
    EXPECT_THAT(table, HasSubstr("| " + mode + " |"));
  EXPECT_THAT(table, ::testing::Not(HasSubstr("nan")));
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 2 + static_cast<long>(modes.size()));
}

// Pictures of the true poses decode to them: what evaluation calls the floor is the codec's own.
TEST_F(EvaluateModelTest, CodecFloorIsTheCodecs) {
  RunContext run;
  EvaluateModelOptions options = Options();
  options.mode = {"i2v"};
  const nlohmann::json report = ToJson(RunEvaluateModel(options, run));
  const nlohmann::json& floor = report["modes"]["codec_floor"];
  EXPECT_LE(floor["position_mm"]["median"], 1.0);  // 32x32 pictures of two views
  EXPECT_EQ(floor["gripper_accuracy"], 1.0);
  EXPECT_EQ(report["modes"].size(), 3u);
}

// The networks are those of aim-data compare; here they meet the modes of a model.
TEST_F(EvaluateModelTest, NetworksMeasureEveryModeThatMakesVideo) {
  const fs::path weights = testing::SourceDir() / kMetricWeightsFolder;
  if (!fs::exists(weights / "alexnet.ckpt")) GTEST_SKIP() << "no weights: scripts/setup --metrics";
  EvaluateModelOptions options = Options();
  options.episodes = 1;
  options.mode = {"i2a,a2v"};
  options.measure = {
      .metrics = {"ssim,lpips", "fvd"}, .fvd_frames = kI3dMinFrames, .weights = weights.string()};
  RunContext run;
  ExpectThrowsWith<ConfigError>([&] { RunEvaluateModel(options, run); },
                                {"--metrics is ssim, lpips, fvd", "mode i2a makes: poses"});
  options.measure.metrics.push_back("pose");
  const EvaluationReport measured = RunEvaluateModel(options, run);
  const nlohmann::json report = ToJson(measured);
  const nlohmann::json& modes = report["modes"];
  EXPECT_EQ(report["lpips_network"], "alexnet");
  EXPECT_FALSE(modes["i2a"].contains("ssim"));
  EXPECT_TRUE(modes["i2a"].contains("position_mm"));
  for (const char* name : {"a2v", "autoencoder_floor"}) {
    const nlohmann::json& mode = modes[name];
    EXPECT_LE(mode["ssim"], 1) << name;
    EXPECT_GT(mode["lpips"], 0) << name;
    EXPECT_GT(mode["fvd"]["value"], 0) << name;
    EXPECT_EQ(mode["fvd"]["clips_judged"], 2) << name;  // two views
    EXPECT_EQ(mode["fvd"]["clips_truth"], 2) << name;
    EXPECT_FALSE(mode.contains("psnr_db")) << name;
  }
  const std::string table = EvaluationTable(measured);
  for (const char* words : {"| SSIM % |", "| LPIPS (alexnet) |", "| FVD |", "is biased upwards"}) {
    EXPECT_THAT(table, HasSubstr(words));
  }
}

// The scores are of what was generated, not of the truth: those of pictures that a model cannot
// make (nothing was trained) are far from those of the autoencoder alone.
TEST_F(EvaluateModelTest, PicturesAreMeasuredAgainstTheTruth) {
  EvaluateModelOptions options = Options();
  options.mode = {"a2v"};
  options.measure.metrics = {"ssim", "fvd"};
  options.measure.fvd_frames = kTinyFrames + 1;
  RunContext run;
  ExpectThrowsWith<InputError>(
      [&] {
        options.measure.weights = (*folder_ / "nowhere").string();
        RunEvaluateModel(options, run);
      },
      {"i3d-kinetics-400.ckpt is missing", "scripts/setup --metrics"});
  options.measure.metrics = {"ssim"};
  const EvaluationReport report = RunEvaluateModel(options, run);
  EXPECT_EQ(report.modes.size(), 2u);  // no poses: no floor of the codec
  const ScoreSummary& made = report.modes.at("a2v").quality.pictures.at("ssim");
  const ScoreSummary& floor = report.modes.at("autoencoder_floor").quality.pictures.at("ssim");
  EXPECT_EQ(made.num_values, 5 * 2 * (kTinyFrames - 1));
  EXPECT_GT(floor.value, made.value);
  EXPECT_LT(made.interval->low, made.value);
  EXPECT_EQ(ToJson(report)["modes"]["a2v"]["interval"]["ssim"][0], made.interval->low);
}

// Only poses asked for: no video is decoded, and what makes nothing else is left out.
TEST_F(EvaluateModelTest, PosesAloneLeaveVideosOut) {
  EvaluateModelOptions options = Options();
  options.episodes = 1;
  options.measure.metrics = {"pose"};
  RunContext run;
  const EvaluationReport report = RunEvaluateModel(options, run);
  EXPECT_FALSE(report.modes.contains("i2v"));
  EXPECT_FALSE(report.modes.at("i2va").quality.summary.pictures);
  EXPECT_TRUE(report.modes.at("i2va").quality.summary.poses);
  options.measure.metrics = {};
  ExpectThrowsWith<ConfigError>([&] { RunEvaluateModel(options, run); }, {"--metrics", "empty"});
}

TEST_F(EvaluateModelTest, RefusesWhatItCannotMeasure) {
  RunContext run;
  EvaluateModelOptions options = Options();
  options.mode = {"v1_given"};
  ExpectThrowsWith<ConfigError>([&] { RunEvaluateModel(options, run); },
                                {"\"v1_given\"", "not trained for"});
  Clip clip = MakeSyntheticClip(kTinyFrames, 70);
  clip.poses.resize(1);
  testing::WriteClipFiles(*folder_ / "unlabelled", clip);
  options = Options();
  options.data.path = (*folder_ / "unlabelled").string();
  ExpectThrowsWith<InputError>(
      [&] { RunEvaluateModel(options, run); },
      {"without an episode that can be measured", "with 1 pose; expected one for each"});
}

// Said once, and how many there are; of the model's own rate nothing is said.
TEST_F(EvaluateModelTest, AnotherRateThanTheModelsIsWarnedOf) {
  for (uint64_t seed = 0; seed < 3; ++seed) {
    Clip clip = MakeSyntheticClip(kTinyFrames, 60 + seed);
    clip.fps = 5;
    testing::WriteClipFiles(*folder_ / "slow" / std::to_string(seed), clip);
  }
  const auto warnings = [&](const char* name) {
    std::string text;
    SetLogSink([&](LogLevel level, const std::string& message) {
      if (level == LogLevel::kWarning) text += message + "\n";
    });
    RunContext run;
    EvaluateModelOptions options = Options();
    options.mode = {"i2a"};
    options.data.path = (*folder_ / name).string();
    RunEvaluateModel(options, run);
    SetLogSink(nullptr);
    return text;
  };
  EXPECT_EQ(warnings("slow"),
            "0 has 5 frames a second, the model was trained at 8; frames are taken one by one\n"
            "3 of 3 episodes have other frames a second than the model\n");
  EXPECT_EQ(warnings("clips"), "");
}

// What decoding takes is looked at before the data is, as in the other tools.
TEST_F(EvaluateModelTest, DecodingThatDoesNotFitIsRefusedBeforeWork) {
  testing::WriteWanBundle(*folder_ / "wan");
  EvaluateModelOptions options;
  options.model.model = (*folder_ / "wan").string();
  options.data.path = (*folder_ / "none").string();
  RunContext run;
  ExpectThrowsWith<InputError>([&] { RunEvaluateModel(options, run); }, {"none"});
  options.model.vae.memory_gib = 1e-6;
  ExpectThrowsWith<ConfigError>([&] { RunEvaluateModel(options, run); }, {"memory_gib"});
}

TEST_F(EvaluateModelTest, TheToolPrintsTheTableAndInspects) {
  const std::string model = (*folder_ / "model").string();
  const testing::CommandResult evaluated =
      testing::RunCommand({testing::Binary("aim-model"), "evaluate", "--model", model, "--data",
                           Options().data.path, "--mode", "i2a", "--episodes", "2"});
  EXPECT_EQ(evaluated.exit_code, 0) << evaluated.err;
  EXPECT_THAT(evaluated.out, HasSubstr("| i2a | 2 |"));

  const testing::CommandResult inspected =
      testing::RunCommand({testing::Binary("aim-model"), "inspect", model});
  EXPECT_EQ(inspected.exit_code, 0) << inspected.err;
  const nlohmann::json bundle = nlohmann::json::parse(inspected.out);
  EXPECT_EQ(bundle["config"]["num_frames"], kTinyFrames);
  EXPECT_EQ(bundle["parameters"],
            bundle["files"]["dit.safetensors"]["parameters"].get<int64_t>() +
                bundle["files"]["autoencoder.safetensors"]["parameters"].get<int64_t>());

  const testing::CommandResult weights =
      testing::RunCommand({testing::Binary("aim-model"), "inspect", model + "/dit.safetensors"});
  const nlohmann::json file = nlohmann::json::parse(weights.out);
  EXPECT_EQ(file["fingerprint"], bundle["files"]["dit.safetensors"]["fingerprint"]);
  EXPECT_EQ(file["tensors"].size(), bundle["files"]["dit.safetensors"]["tensors"]);

  const testing::CommandResult missing =
      testing::RunCommand({testing::Binary("aim-model"), "inspect", model + "/none"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.err, HasSubstr("none is missing"));
}

}  // namespace
}  // namespace aim
