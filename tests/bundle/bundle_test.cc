#include "aim/bundle/bundle.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/tensor/safetensors.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

BundleConfig SmallConfig() {
  BundleConfig config;
  config.trained_modes = {"i2a", "v2a"};
  config.image_height = 8;
  config.image_width = 12;
  config.num_frames = 9;
  config.dit.in_channels = 6;
  config.dit.out_channels = 6;
  config.dit.dim = 12;
  config.dit.ffn_dim = 16;
  config.dit.num_heads = 2;
  config.dit.num_layers = 1;
  config.dit.freq_dim = 8;
  config.dit.text_dim = 5;
  config.dit.camera = {.mode = CameraMode::kRayToken, .features = 24, .projector = false};
  config.autoencoder.pca = {.channels = 6, .block_px = 2};
  config.text.hashed_words = {.dim = 5, .length = 4};
  return config;
}

WeightMap SmallBasis() {
  PcaFitter fitter({.channels = 6, .block_px = 2});
  const at::Tensor ramp = at::sin(at::arange(3 * 9 * 8 * 8, at::kFloat) * 1.7f);
  for (const ContentKind kind : {ContentKind::kVideo, ContentKind::kAction}) {
    fitter.AddClip(ramp.reshape({1, 3, 9, 8, 8}), kind);
  }
  return fitter.Solve().weights();
}

WeightMap SmallDit() { return InitialDitWeights(SmallConfig().dit, Rng(3)); }

class BundleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    bundle_ = folder_ / "bundle";
    WriteBundle(bundle_, SmallConfig(), SmallDit(), SmallBasis(), at::kFloat);
    toml_ = ReadFile(bundle_ / "model.toml");
  }

  // The message of the error that loading throws; empty if it loads.
  std::string Message() const {
    try {
      LoadBundle(bundle_);
    } catch (const Error& error) {
      EXPECT_FALSE(dynamic_cast<const IoError*>(&error)) << "exit code 1 for bad input";
      return error.what();
    }
    return "";
  }

  void ReplaceInToml(const std::string& old_text, const std::string& new_text) const {
    std::string text = toml_;
    const size_t at = text.find(old_text);
    ASSERT_NE(at, std::string::npos) << old_text << " in\n" << toml_;
    std::ofstream(bundle_ / "model.toml") << text.replace(at, old_text.size(), new_text);
  }

  testing::TemporaryFolder folder_;
  std::filesystem::path bundle_;
  std::string toml_;
};

TEST_F(BundleTest, RoundTrip) {
  const Bundle bundle = LoadBundle(bundle_);
  nlohmann::json written = OptionsToJson(SmallConfig());
  nlohmann::json read = OptionsToJson(bundle.config);
  EXPECT_NE(read["revision"], "");
  read["revision"] = written["revision"];
  EXPECT_EQ(read, written);
  EXPECT_EQ(Fingerprint(bundle.dit.NamedWeights()), Fingerprint(SmallDit()));
  EXPECT_EQ(bundle.dit.options.dim, 12);
  EXPECT_EQ(bundle.autoencoder->channels(), 6);
  EXPECT_EQ(bundle.text->Encode("push it").sizes(), at::IntArrayRef({4, 5}));
  const at::Tensor latent =
      bundle.autoencoder->Encode(at::zeros({1, 3, 9, 8, 12}), ContentKind::kAction);
  EXPECT_EQ(latent.sizes(), at::IntArrayRef({1, 6, 3, 4, 6}));
}

TEST_F(BundleTest, HalfStorageHalvesTheFileAndLoadsAsFloat) {
  const uintmax_t float_size = std::filesystem::file_size(bundle_ / "dit.safetensors");
  WriteBundle(bundle_, SmallConfig(), SmallDit(), SmallBasis());
  EXPECT_LT(std::filesystem::file_size(bundle_ / "dit.safetensors"), float_size * 3 / 4);
  const WeightMap weights = LoadBundle(bundle_).dit.NamedWeights();
  for (const auto& [name, weight] : SmallDit()) {
    const at::Tensor& loaded = weights.at(name);
    EXPECT_EQ(loaded.scalar_type(), at::kFloat);
    EXPECT_TRUE(at::allclose(loaded, weight, 1e-3, 1e-6)) << name;
  }
}

TEST_F(BundleTest, WeightFilesMayLieElsewhere) {
  std::filesystem::rename(bundle_ / "dit.safetensors", folder_ / "moved.safetensors");
  ReplaceInToml("\"dit.safetensors\"", "\"" + (folder_ / "moved.safetensors").string() + "\"");
  EXPECT_EQ(Message(), "");
}

TEST_F(BundleTest, MissingParts) {
  for (const char* file : {"autoencoder.safetensors", "dit.safetensors", "model.toml"}) {
    std::filesystem::remove(bundle_ / file);
    EXPECT_THAT(Message(), AllOf(HasSubstr(file), HasSubstr("missing"))) << file;
  }
  std::filesystem::remove_all(bundle_);
  EXPECT_THAT(Message(), AllOf(HasSubstr("bundle is missing"), HasSubstr("model.toml")));
  std::ofstream(bundle_) << "x";
  EXPECT_THAT(Message(), HasSubstr("not a folder"));
}

TEST_F(BundleTest, BadConfigurationIsNamed) {
  struct BadLine {
    const char* name;
    const char* old_text;
    const char* new_text;
    const char* words;
  };
  const BadLine lines[] = {
      {"no toml", "fps = 8.0", "fps = = 8", "not valid TOML"},
      {"unknown key", "num_heads = 2", "num_head = 2", "did you mean dit.num_heads?"},
      {"unknown section", "[dit.camera]", "[dit.cameras]", "dit.cameras"},
      {"missing keys", "fps = 8.0\n", "", "missing fps"},
      {"version", "format_version = 1", "format_version = 7", "format_version is 7; expected 1"},
      {"no version", "format_version = 1", "", "format_version is missing"},
      {"wrong type", "num_frames = 9", "num_frames = \"9\"", "num_frames"},
      {"range", "num_views = 2", "num_views = 0", "num_views is 0; expected [1, 16]"},
      {"frames", "num_frames = 9", "num_frames = 8", "num_frames is 8; expected a multiple of 4"},
      {"image", "image_width = 12", "image_width = 10",
       "image_width is 10; expected a multiple of"},
      {"kind", "kind = \"pca\"", "kind = \"vae\"", "autoencoder.kind is"},
      {"channels", "in_channels = 6", "in_channels = 8", "dit.in_channels is 8; expected 6"},
      {"text", "text_dim = 5", "text_dim = 7", "dit.text_dim is 7; expected 5"},
      {"rays", "features = 24", "features = 6", "dit.camera.features is 6; expected 24"},
      {"modes", "[\"i2a\",\"v2a\"]", "[\"i2a\",\"i2a\"]", "'i2a' twice"},
      {"shift", "shift = 30.0", "shift = nan", "diffusion.shift"},
  };
  for (const BadLine& line : lines) {
    ReplaceInToml(line.old_text, line.new_text);
    EXPECT_THAT(Message(), AllOf(HasSubstr("model.toml"), HasSubstr(line.words))) << line.name;
  }
  ReplaceInToml("num_heads = 2", "num_heads = 5");
  EXPECT_THAT(Message(), HasSubstr("dit.num_heads is 5"));
}

TEST_F(BundleTest, WrongWeightsAreAllListed) {
  ReplaceInToml("ffn_dim = 16", "ffn_dim = 20");
  EXPECT_THAT(Message(),
              AllOf(HasSubstr("dit.safetensors is holding 3 of wrong shape"),
                    HasSubstr("blocks.0.ffn.0.weight is [16, 12] instead of [20, 12]"),
                    HasSubstr("blocks.0.ffn.0.bias"), HasSubstr("blocks.0.ffn.2.weight")));
  ReplaceInToml("num_layers = 1", "num_layers = 2");
  EXPECT_THAT(Message(), AllOf(HasSubstr("missing"), HasSubstr("blocks.1.norm3.weight")));
}

TEST_F(BundleTest, DamagedWeights) {
  WeightMap weights = SmallDit();
  weights["blocks.0.ffn.0.bias"][3] = std::numeric_limits<float>::quiet_NaN();
  WriteSafetensors(bundle_ / "dit.safetensors", weights);
  EXPECT_THAT(Message(), HasSubstr("NaN or Inf in blocks.0.ffn.0.bias"));

  std::filesystem::resize_file(bundle_ / "dit.safetensors", 500);
  EXPECT_THAT(Message(), AllOf(HasSubstr("dit.safetensors"), HasSubstr("truncated")));
}

// A refused bundle leaves what was there before.
TEST_F(BundleTest, WriteChecksFirst) {
  WeightMap weights = SmallDit();
  weights.erase("head.head.bias");
  EXPECT_THROW(WriteBundle(bundle_, SmallConfig(), weights, SmallBasis()), InputError);
  weights = SmallDit();
  weights["head.head.bias"] = at::full({24}, 1e6);
  EXPECT_THROW(WriteBundle(bundle_, SmallConfig(), weights, SmallBasis()), InputError);
  BundleConfig config = SmallConfig();
  config.num_frames = 10;
  EXPECT_THROW(WriteBundle(bundle_, config, SmallDit(), SmallBasis()), ConfigError);
  EXPECT_EQ(Message(), "");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

// The network is new, everything else that of the initial bundle, which may then go.
TEST_F(BundleTest, TrainedOnFromAnotherBundle) {
  BundleConfig config = LoadBundleConfig(bundle_);
  config.trained_modes = {"i2va"};
  config.autoencoder.pca.channels = 99;  // not what is trained: that of the initial one holds
  WeightMap weights = SmallDit();
  weights["head.head.bias"] = at::full({24}, 0.5f);
  std::filesystem::create_directory(bundle_ / "vae");
  std::filesystem::rename(bundle_ / "autoencoder.safetensors", bundle_ / "vae/basis.safetensors");
  ReplaceInToml("file = \"autoencoder.safetensors\"", "file = \"vae/basis.safetensors\"");
  const std::string basis = ReadFile(bundle_ / "vae/basis.safetensors");
  WriteBundle(folder_ / "trained", config, weights, bundle_, at::kFloat);
  std::filesystem::remove_all(bundle_);
  const Bundle trained = LoadBundle(folder_ / "trained");
  EXPECT_EQ(Fingerprint(trained.dit.NamedWeights()), Fingerprint(weights));
  EXPECT_EQ(trained.config.trained_modes, config.trained_modes);
  EXPECT_EQ(trained.config.autoencoder.pca.channels, 6);
  EXPECT_EQ(ReadFile(folder_ / "trained/vae/basis.safetensors"), basis);
}

TEST_F(BundleTest, FilesOutsideOfTheInitialBundleAreReferredTo) {
  for (const std::string name : {"../outside.safetensors", "/outside.safetensors"}) {
    const std::string named = name[0] == '/' ? (folder_ / name.substr(1)).string() : name;
    WriteBundle(bundle_, SmallConfig(), SmallDit(), SmallBasis(), at::kFloat);
    std::filesystem::rename(bundle_ / "autoencoder.safetensors", folder_ / "outside.safetensors");
    ReplaceInToml("file = \"autoencoder.safetensors\"", "file = \"" + named + "\"");
    WriteBundle(folder_ / "trained", SmallConfig(), SmallDit(), bundle_, at::kFloat);
    EXPECT_EQ(LoadBundle(folder_ / "trained").config.autoencoder.file,
              (folder_ / "outside.safetensors").string());
    EXPECT_FALSE(std::filesystem::exists(folder_ / "trained/autoencoder.safetensors"));
  }
}

}  // namespace
}  // namespace aim
