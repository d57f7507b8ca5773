// The parity kit from end to end: a random Diffusers pipeline becomes a bundle, and each part of it
// gives what Diffusers and Transformers gave. Fixtures: scripts/make_parity_fixtures.py.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "aim/base/error.h"
#include "aim/bundle/bundle.h"
#include "aim/bundle/forward.h"
#include "aim/bundle/make_bundle.h"
#include "aim/tensor/safetensors.h"
#include "support/case_name.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

fs::path Kit() { return testing::SourceDir() / "tests/data/parity"; }

class ParityTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new testing::TemporaryFolder;
    MakeBundleOptions options;
    options.from_diffusers = (Kit() / "pipeline").string();
    RunContext run({.out = Bundle()});
    RunMakeBundle(options, run);
  }
  static void TearDownTestSuite() { delete folder_; }
  static fs::path Bundle() { return *folder_ / "bundle"; }

  // What the part makes of its inputs: the one tensor in the output.
  static at::Tensor Run(const std::string& part, const fs::path& inputs,
                        const std::string& dtype = "f32") {
    ForwardOptions options;
    options.model = Bundle().string();
    options.part = FromWord<ForwardPart>(part, "part");
    options.inputs = inputs.string();
    options.dtype = FromWord<ModelDtype>(dtype, "dtype");
    RunContext run({.out = *folder_ / "out.safetensors", .overwrite = true});
    const nlohmann::json report = ToJson(RunForward(options, run));
    const WeightMap outputs = ReadSafetensors(run.out());
    EXPECT_EQ(outputs.size(), 1u);
    EXPECT_EQ(report["tensors"][outputs.begin()->first], outputs.begin()->second.sizes().vec());
    return outputs.begin()->second.clone();
  }

  // The largest error relative to the largest value.
  static double RelativeError(const std::string& part, const std::string& dtype = "f32") {
    const at::Tensor found = Run(part, Kit() / (part + ".inputs.safetensors"), dtype);
    const WeightMap file = ReadSafetensors(Kit() / (part + ".expected.safetensors"));
    const at::Tensor& expected = file.begin()->second;
    EXPECT_EQ(found.sizes(), expected.sizes());
    return ((found - expected).abs().max() / expected.abs().max()).item<double>();
  }

  static testing::TemporaryFolder* folder_;
};
testing::TemporaryFolder* ParityTest::folder_ = nullptr;

TEST_F(ParityTest, EveryPartGivesWhatTheReferenceGives) {
  for (const char* part : {"dit", "vae-encode", "vae-decode", "text"})
    EXPECT_LE(RelativeError(part), 1e-5) << part;
}

TEST_F(ParityTest, Bfloat16IsNearAndDiffers) {
  const double error = RelativeError("dit", "bf16");
  EXPECT_LE(error, 0.1);
  EXPECT_GT(error, 1e-5);
}

TEST_F(ParityTest, APromptIsTokenisedAndPadded) {
  ForwardOptions options;
  options.model = Bundle().string();
  options.part = ForwardPart::kText;
  options.prompt = "push the red button";
  RunContext run({.out = *folder_ / "prompt.safetensors"});
  RunForward(options, run);
  const at::Tensor features = ReadSafetensors(run.out()).at("features");
  ASSERT_EQ(features.dim(), 3);
  const at::Tensor used = features.abs().sum(-1).gt(0).sum();
  EXPECT_GT(used.item<int64_t>(), 2);
  EXPECT_LT(used.item<int64_t>(), features.size(1));
}

// The same folder by links gives the same bundle without copies.
TEST_F(ParityTest, LinksAreReadInPlace) {
  MakeBundleOptions options;
  options.from_diffusers = (Kit() / "pipeline").string();
  options.link = true;
  RunContext run({.out = *folder_ / "linked"});
  RunMakeBundle(options, run);
  EXPECT_FALSE(fs::exists(run.out() / "dit.safetensors"));
  const auto fingerprint = [](const fs::path& path) {
    return Fingerprint(LoadDit(path, LoadBundleConfig(path)).NamedWeights());
  };
  EXPECT_EQ(fingerprint(run.out()), fingerprint(Bundle()));
}

// The parts by themselves, their architecture read off the weights.
TEST_F(ParityTest, PartsAreRecognisedWithoutConfiguration) {
  const BundleConfig expected = LoadBundleConfig(Bundle());
  MakeBundleOptions options;
  options.dit = (Bundle() / expected.dit_file).string();
  options.vae = (Bundle() / expected.autoencoder.file).string();
  options.text = (Bundle() / expected.text.file).string();
  options.tokenizer = (Bundle() / expected.text.tokenizer_file).string();
  options.num_heads = expected.dit.num_heads;
  RunContext run({.out = *folder_ / "parts"});
  RunMakeBundle(options, run);
  const BundleConfig found = LoadBundleConfig(run.out());
  EXPECT_EQ(found.dit.dim, expected.dit.dim);
  EXPECT_EQ(found.dit.num_layers, expected.dit.num_layers);
  EXPECT_EQ(found.dit.ffn_dim, expected.dit.ffn_dim);
  EXPECT_EQ(found.dit.text_dim, expected.dit.text_dim);
  EXPECT_EQ(found.dit.camera.features, expected.dit.camera.features);
  EXPECT_EQ(found.autoencoder.channels(), expected.autoencoder.channels());
  EXPECT_EQ(found.text.umt5.num_layers, expected.text.umt5.num_layers);
}

struct BadForward {
  const char* name;
  std::string part;
  std::function<void(WeightMap&)> spoil;
  std::vector<std::string> words;
};

class BadForwardTest : public ParityTest, public ::testing::WithParamInterface<BadForward> {};

TEST_P(BadForwardTest, IsRefusedInOneSentence) {
  WeightMap inputs = ReadSafetensors(Kit() / (GetParam().part + ".inputs.safetensors"));
  GetParam().spoil(inputs);
  const fs::path file = *folder_ / "bad.safetensors";
  WriteSafetensors(file, inputs);
  testing::ExpectThrowsWith<InputError>([&] { Run(GetParam().part, file); }, GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(
    Inputs, BadForwardTest,
    ::testing::Values(
        BadForward{"Missing",
                   "dit",
                   [](WeightMap& w) { w.erase("text"); },
                   {"bad.safetensors: text", "missing"}},
        BadForward{"Nan",
                   "dit",
                   [](WeightMap& w) { w["latents"] = w["latents"] + NAN; },
                   {"latents", "NaN"}},
        BadForward{"OddSize",
                   "dit",
                   [](WeightMap& w) { w["latents"] = w["latents"].narrow(3, 0, 3).contiguous(); },
                   {"latents", "patch"}},
        BadForward{"TextWidth",
                   "dit",
                   [](WeightMap& w) { w["text"] = w["text"].narrow(2, 0, 3).contiguous(); },
                   {"text", "expected"}},
        BadForward{"Channels",
                   "vae-decode",
                   [](WeightMap& w) { w["latent"] = w["latent"].narrow(1, 0, 1).contiguous(); },
                   {"latent", "expected"}},
        BadForward{"Frames",
                   "vae-encode",
                   [](WeightMap& w) { w["video"] = w["video"].narrow(2, 0, 3).contiguous(); },
                   {"video", "expected"}},
        BadForward{"FloatTokens",
                   "text",
                   [](WeightMap& w) { w["token_ids"] = w["token_ids"].to(at::kFloat); },
                   {"token_ids", "float32"}},
        BadForward{"TokenBeyondTheVocabulary",
                   "text",
                   [](WeightMap& w) { w["token_ids"] = w["token_ids"] + 1000000; },
                   {"token_ids", "expected"}}),
    testing::CaseName());

}  // namespace
}  // namespace aim
