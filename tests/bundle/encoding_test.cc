#include "aim/bundle/encoding.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/tensor/safetensors.h"
#include "policy/tiny_bundle.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "support/wan_bundle.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

nlohmann::json EncodingAt(const fs::path& path) { return EncodingOf(path, LoadBundleConfig(path)); }

TEST(EncodingTest, EncodersAloneEncodeTheSame) {
  const testing::TemporaryFolder folder;
  testing::WriteTinyBundle(folder / "model");
  const BundleConfig config = LoadBundleConfig(folder / "model");
  WriteEncoders(folder / "linked", config, folder / "model");
  const WeightMap weights = ReadSafetensors(folder / "model" / config.autoencoder.file);
  WriteEncoders(folder / "written", config, weights);
  const Clip clip = testing::MakeSyntheticClip(testing::kTinyFrames, 3);
  const at::Tensor video =
      VideoTensor(clip.views[0], clip.height, clip.width, testing::kTinyFrames).unsqueeze(0);
  const auto original = LoadAutoencoder(folder / "model", config);
  for (const char* name : {"linked", "written"}) {
    SCOPED_TRACE(name);
    EXPECT_EQ(EncodingAt(folder / name), EncodingAt(folder / "model"));
    EXPECT_FALSE(fs::exists(folder / name / config.dit_file));
    const auto copy = LoadAutoencoder(folder / name, LoadBundleConfig(folder / name));
    EXPECT_TRUE(at::equal(copy->Encode(video, ContentKind::kVideo),
                          original->Encode(video, ContentKind::kVideo)));
  }
  EXPECT_EQ(EncodingOf(config, weights), EncodingAt(folder / "model"));
}

// Text encoders of weights travel, too; where their files lie is no matter.
TEST(EncodingTest, EncodersOfTheLargeArchitecture) {
  const testing::TemporaryFolder folder;
  testing::WriteWanBundle(folder / "model");
  const BundleConfig config = LoadBundleConfig(folder / "model");
  WriteEncoders(folder / "copy", config, folder / "model");
  EXPECT_EQ(EncodingAt(folder / "copy"), EncodingAt(folder / "model"));
  const BundleConfig copied = LoadBundleConfig(folder / "copy");
  EXPECT_TRUE(at::equal(LoadTextEncoder(folder / "copy", copied)->Encode("push it"),
                        LoadTextEncoder(folder / "model", config)->Encode("push it")));
}

TEST(EncodingTest, WhatEncodesOtherwiseIsNamed) {
  const testing::TemporaryFolder folder;
  testing::WriteTinyBundle(folder / "model");
  const BundleConfig config = LoadBundleConfig(folder / "model");
  const nlohmann::json expected = EncodingAt(folder / "model");
  RequireSameEncoding(expected, expected, "--init");
  const auto refused = [&](const BundleConfig& other, const std::string& key) {
    testing::ExpectThrowsWith<ConfigError>(
        [&] { RequireSameEncoding(EncodingOf(folder / "model", other), expected, "--init x"); },
        {"--init x", key, "as in the cache"});
  };
  BundleConfig other = config;
  other.num_frames = 13;
  refused(other, "num_frames");
  other = config;
  other.action_image.anchor_m = 0.2;
  refused(other, "action_image");
  other = config;
  other.text.hashed_words.length = 7;
  refused(other, "text");
  WeightMap weights = ReadSafetensors(folder / "model" / config.autoencoder.file);
  weights.begin()->second = weights.begin()->second * 2;
  testing::ExpectThrowsWith<ConfigError>(
      [&] { RequireSameEncoding(EncodingOf(config, weights), expected, "--init x"); },
      {"autoencoder_weights"});
}

TEST(EncodingTest, EncodersAreKeptOrReplaced) {
  const testing::TemporaryFolder folder;
  testing::WriteTinyBundle(folder / "model");
  BundleConfig config = LoadBundleConfig(folder / "model");
  int num_written = 0;
  const auto keep = [&](const nlohmann::json& encoding) {
    KeepEncoders(folder / "kept", encoding, [&](const fs::path& path) {
      ++num_written;
      WriteEncoders(path, config, folder / "model");
    });
  };
  const nlohmann::json encoding = EncodingAt(folder / "model");
  keep(encoding);
  keep(encoding);
  EXPECT_EQ(num_written, 1);
  config.num_frames = 13;
  keep(EncodingOf(folder / "model", config));
  EXPECT_EQ(num_written, 2);
  EXPECT_EQ(LoadBundleConfig(folder / "kept").num_frames, 13);
}

}  // namespace
}  // namespace aim
