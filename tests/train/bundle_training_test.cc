// Training from bundles: of the released architecture and of the small model, through one code.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/bundle/adapter.h"
#include "aim/bundle/bundle.h"
#include "aim/bundle/convert.h"
#include "aim/train/run_train.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "support/wan_bundle.h"
#include "train/training_data.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

class BundleTrainingTest : public ::testing::Test {
 protected:
  BundleTrainingTest() : options_(testing::TinyTraining(folder_ / "data")) {
    testing::WriteTrainingData(folder_ / "data", {.num_episodes = 3, .num_frames = 7});
    testing::StartFrom(folder_ / "initial", options_);
    options_.clips.per_episode = 1;
    options_.train.steps = 2;
    options_.train.lr = 0.01;
    options_.train.ema = 0;
    options_.train.validation_episodes = 0;
  }

  TrainReport Train(const std::string& out) {
    RunContext run({.out = folder_ / out});
    return RunTrain(options_, run).value();
  }

  std::vector<nlohmann::json> Metrics(const std::string& out) const {
    return testing::ReadMetrics(folder_ / out);
  }

  static double Difference(const WeightMap& a, const WeightMap& b, const std::string& part) {
    double largest = 0;
    for (const auto& [name, weight] : a) {
      if (name.find(part) == std::string::npos) continue;
      largest = std::max(largest, (weight - b.at(name)).abs().max().item<double>());
    }
    return largest;
  }

  testing::TemporaryFolder folder_;
  TrainRunOptions options_;
};

// Not trained elsewhere without a word.
TEST_F(BundleTrainingTest, ADeviceThatIsNotThereIsRefused) {
  if (at::hasCUDA()) GTEST_SKIP() << "it is there";
  RunContext run({.device = "cuda", .out = folder_ / "run"});
  testing::ExpectThrowsWith<ConfigError>([&] { RunTrain(options_, run); },
                                         {"--device is 'cuda'; expected cpu"});
  EXPECT_FALSE(fs::exists(folder_ / "run"));
}

// Its weights are rounded: what would be trained is not what was made.
TEST_F(BundleTrainingTest, ANetworkOfEightBitsIsRefused) {
  const fs::path tiny = testing::SourceDir() / "assets/tiny";
  fs::copy(tiny, folder_ / "initial");
  ConvertOptions convert;
  convert.source = (tiny / "dit.safetensors").string();
  convert.destination = (folder_ / "eight.safetensors").string();
  convert.dtype = StorageDtype::kFp8;
  RunContext run;
  RunConvert(convert, run);
  fs::rename(folder_ / "eight.safetensors", folder_ / "initial/dit.safetensors");
  testing::ExpectThrowsWith<InputError>([&] { Train("run"); }, {"eight bits", "to be trained"});
}

// Pooled cameras, UMT5 rows and VAE latents from clips; the network learns, the rest stays.
TEST_F(BundleTrainingTest, TwoStepsOfASmallWanBundle) {
  testing::WriteWanBundle(folder_ / "initial");
  options_.train.validation_episodes = 1;
  options_.train.mix = {{"i2va", 0.5}, {"v2a", 0.5}};
  const TrainReport report = Train("run");
  EXPECT_TRUE(report.finished);
  EXPECT_TRUE(report.skipped.empty());
  const Bundle before = LoadBundle(folder_ / "initial");
  const Bundle after = LoadBundle(report.bundle);
  ASSERT_EQ(before.config.dit.camera.mode, CameraMode::kPooledLatent);
  EXPECT_GT(Difference(before.dit.NamedWeights(), after.dit.NamedWeights(), "self_attn.q"), 1e-3);
  EXPECT_GT(Difference(before.dit.NamedWeights(), after.dit.NamedWeights(), "cam_encoder"), 1e-3);
  EXPECT_GT(Difference(before.dit.NamedWeights(), after.dit.NamedWeights(), "text_embedding"),
            1e-3);
  EXPECT_EQ(after.config.trained_modes, (std::vector<std::string>{"i2va", "v2a"}));
  EXPECT_EQ(after.config.autoencoder.kind, AutoencoderKind::kWanVae);
  EXPECT_EQ(after.config.text.kind, TextKind::kUmt5);
  EXPECT_TRUE(at::equal(after.text->Encode("push it"), before.text->Encode("push it")));
  const at::Tensor video = at::linspace(-1, 1, 3 * 5 * 32 * 32).reshape({1, 3, 5, 32, 32});
  EXPECT_TRUE(at::equal(after.autoencoder->Encode(video, ContentKind::kVideo),
                        before.autoencoder->Encode(video, ContentKind::kVideo)));

  const std::vector<nlohmann::json> lines = Metrics("run");
  ASSERT_EQ(lines.size(), 3U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_GT(lines[i]["loss"].get<double>(), 0);
    EXPECT_GT(lines[i]["grad_norm"].get<double>(), 0);
  }
  EXPECT_EQ(lines[2]["validation"]["i2va"]["clips"], 1);
}

// Files outside of the bundle are referred to, and nothing is copied that need not be.
TEST_F(BundleTrainingTest, ABundleOfReferencesStaysOne) {
  testing::WriteWanBundle(folder_ / "initial", true);
  options_.train.steps = 1;
  const TrainReport report = Train("run");
  const BundleConfig config = LoadBundleConfig(report.bundle);
  const BundleConfig initial = LoadBundleConfig(folder_ / "initial");
  EXPECT_EQ(config.autoencoder.file, initial.autoencoder.file);
  EXPECT_EQ(config.text.file, initial.text.file);
  EXPECT_EQ(config.text.tokenizer_file, initial.text.tokenizer_file);
  EXPECT_EQ(config.dit_file, "dit.safetensors");
  EXPECT_EQ(LoadBundle(report.bundle).text->dim(), config.text.umt5.dim);
}

// The trained bundle can be trained on, also when the first one is gone.
TEST_F(BundleTrainingTest, ATrainedBundleIsWhole) {
  testing::WriteWanBundle(folder_ / "initial");
  options_.train.steps = 1;
  const TrainReport first = Train("first");
  fs::remove_all(folder_ / "initial");
  options_.init = first.bundle.string();
  const TrainReport second = Train("second");
  fs::remove_all(folder_ / "first");
  EXPECT_EQ(LoadBundle(second.bundle).config.preset, "action_images_5b");
}

TEST_F(BundleTrainingTest, TheSmallModelIsTrainedOnToo) {
  testing::WriteTinyBundle(folder_ / "initial");
  const TrainReport report = Train("run");
  const Bundle before = LoadBundle(folder_ / "initial");
  const Bundle after = LoadBundle(report.bundle);
  EXPECT_GT(Difference(before.dit.NamedWeights(), after.dit.NamedWeights(), "self_attn.q"), 1e-3);
  EXPECT_EQ(ReadFile(report.bundle / "autoencoder.safetensors"),
            ReadFile(folder_ / "initial" / "autoencoder.safetensors"));
  EXPECT_FALSE(fs::exists(folder_ / "run" / "autoencoder.safetensors"));
}

// The network stays where it is; the bundle is used with the adapter.
TEST_F(BundleTrainingTest, AnAdapterGoesBesideTheNetwork) {
  testing::WriteTinyBundle(folder_ / "initial");
  options_.train.lora = {.rank = 2};
  options_.train.validation_episodes = 1;
  const TrainReport report = Train("run");
  EXPECT_TRUE(
      fs::equivalent(report.bundle / "dit.safetensors", folder_ / "initial" / "dit.safetensors"));
  const WeightMap before = LoadBundle(folder_ / "initial").dit.NamedWeights();
  EXPECT_GT(Difference(before, LoadBundle(report.bundle).dit.NamedWeights(), "self_attn.q"), 1e-5);
  EXPECT_EQ(LoadBundleConfig(report.bundle).adapter, "trained");

  // A second one beside it would be trained on the first, and so the network becomes whole.
  options_.init = report.bundle.string();
  const TrainReport second = Train("second");
  EXPECT_EQ(LoadBundleConfig(second.bundle).adapter, "");
  EXPECT_THAT(AdaptersOf(second.bundle), ::testing::IsEmpty());
}

TEST_F(BundleTrainingTest, AnAdapterNeedsANetworkAndANewName) {
  testing::WriteTinyBundle(folder_ / "initial");
  options_.train.lora = {.rank = 2};
  for (const char* name : {"", "none", "../x", ".x"}) {
    options_.train.lora_name = name;
    testing::ExpectThrowsWith<ConfigError>([&] { Train("run"); }, {"train.lora_name"});
  }
  TrainRunOptions fresh = testing::TinyTraining(folder_ / "data");
  fresh.train.lora = {.rank = 2};
  testing::ExpectThrowsWith<ConfigError>([&] { fresh.Validate(); }, {"train.lora.rank", "--init"});
}

// docs/reference/method.md 3.3: a network that knew no cameras is given parts that change nothing.
TEST_F(BundleTrainingTest, NewCameraPartsBeginWithoutEffect) {
  testing::WriteWanBundle(folder_ / "with");
  BundleConfig config = LoadBundleConfig(folder_ / "with");
  const CameraConditioningOptions camera = config.dit.camera;
  WeightMap weights = LoadBundle(folder_ / "with").dit.NamedWeights();
  std::erase_if(weights, [](const auto& weight) {
    return HoldsWord(weight.first, "cam_encoder") || HoldsWord(weight.first, "projector");
  });
  config.dit.camera = {};
  WriteBundle(folder_ / "initial", config, weights, folder_ / "with", at::kFloat);
  options_.train.mix = {{"i2va", 1}};
  options_.train.validation_episodes = 1;
  const double without = (Train("plain"), Metrics("plain")[0]["loss"].get<double>());

  options_.dit.camera = camera;
  options_.train.trained = {"cam_encoder", "projector"};
  const TrainReport report = Train("run");
  EXPECT_EQ(Metrics("run")[0]["loss"].get<double>(), without);
  const Bundle after = LoadBundle(report.bundle);
  EXPECT_EQ(after.config.dit.camera.mode, CameraMode::kPooledLatent);
  const WeightMap trained = after.dit.NamedWeights();
  EXPECT_GT(trained.at("blocks.0.cam_encoder.2.weight").abs().max().item<double>(), 1e-3);
  EXPECT_LE(Difference(weights, trained, "self_attn.q"), 1e-3);  // float16 rounding alone
}

// What is trained is a copy: weights that were mapped from the file are not written to.
TEST_F(BundleTrainingTest, TheInitialBundleIsNotTouched) {
  testing::WriteTinyBundle(folder_ / "initial");  // stored as float32: mapped, not converted
  const std::string before = ReadFile(folder_ / "initial" / "dit.safetensors");
  Train("run");
  EXPECT_EQ(ReadFile(folder_ / "initial" / "dit.safetensors"), before);
}

}  // namespace
}  // namespace aim
