#include "aim/bundle/adapter.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/tensor/safetensors.h"
#include "policy/tiny_bundle.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

DitOptions Network() { return testing::TinyConfig().dit; }

Lora RandomLora(int rank = 2, double alpha = 6, uint64_t seed = 5) {
  Lora lora = InitialLora(Network(), {.rank = rank, .alpha = alpha}, Rng(seed));
  at::manual_seed(static_cast<int64_t>(seed));
  for (auto& [name, weight] : lora.weights) weight = at::randn_like(weight);
  return lora;
}

// What an adapter adds to every matrix, whatever its scale is called.
WeightMap Changes(const Lora& lora) {
  WeightMap changes;
  for (const auto& [name, shape] : DitWeightShapes(Network()))
    changes[name] = MergedWeight(name, at::zeros(shape), lora);
  return changes;
}

void ExpectSameChange(const Lora& a, const Lora& b) {
  const WeightMap changes = Changes(a), expected = Changes(b);
  for (const auto& [name, change] : changes)
    EXPECT_TRUE(at::allclose(change, expected.at(name), 1e-5, 1e-6)) << name;
}

class AdapterTest : public ::testing::Test {
 protected:
  // A file of the same factors under the names that `rename` makes of matrix and factor.
  template <class Rename>
  fs::path Write(const Lora& lora, const Rename& rename, const WeightMap& more = {}) const {
    WeightMap renamed = more;
    for (const auto& [name, tensor] : lora.weights) {
      const bool is_a = name.ends_with(".lora_A.weight");
      renamed[rename(name.substr(0, name.size() - 14), is_a)] = tensor;
    }
    WriteSafetensors(folder_ / "other.safetensors", renamed);
    return folder_ / "other.safetensors";
  }

  void Refuses(const fs::path& path, const std::vector<std::string>& words) const {
    testing::ExpectThrowsWith<InputError>([&] { ReadAdapter(path, Network()); }, words);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(AdapterTest, AWrittenAdapterIsReadBackBitForBit) {
  const Lora lora = RandomLora();
  WriteAdapter(folder_ / "a", lora);
  const Lora back = ReadAdapter(folder_ / "a", Network());
  EXPECT_EQ(back.scale, 3);
  ASSERT_EQ(back.weights.size(), lora.weights.size());
  for (const auto& [name, weight] : lora.weights)
    EXPECT_TRUE(at::equal(back.weights.at(name), weight)) << name;
}

// PEFT's names and configuration; Diffusers' names, the scale being in B as it knows none.
TEST_F(AdapterTest, ItsFilesAreThoseOfPeftAndDiffusers) {
  const Lora lora = RandomLora();
  WriteAdapter(folder_ / "a", lora);
  const nlohmann::json config = nlohmann::json::parse(ReadFile(folder_ / "a/adapter_config.json"));
  EXPECT_EQ(config["peft_type"], "LORA");
  EXPECT_EQ(config["r"], 2);
  EXPECT_EQ(config["lora_alpha"], 6);
  EXPECT_THAT(config["target_modules"].get<std::vector<std::string>>(),
              ::testing::Contains("blocks.0.self_attn.q"));
  const WeightMap peft = ReadSafetensors(folder_ / "a/adapter_model.safetensors");
  EXPECT_TRUE(at::equal(peft.at("base_model.model.blocks.0.ffn.0.lora_A.weight"),
                        lora.weights.at("blocks.0.ffn.0.lora_A.weight")));
  const WeightMap diffusers = ReadSafetensors(folder_ / "a/pytorch_lora_weights.safetensors");
  EXPECT_TRUE(at::equal(diffusers.at("transformer.blocks.0.ffn.net.0.proj.lora_B.weight"),
                        lora.weights.at("blocks.0.ffn.0.lora_B.weight") * 3));
  ExpectSameChange(ReadAdapter(folder_ / "a/pytorch_lora_weights.safetensors", Network()), lora);
}

TEST_F(AdapterTest, OtherNamesMeanTheSame) {
  const Lora lora = RandomLora(2, 2);
  const auto down_up = [](const std::string& matrix, bool is_a) {
    return "diffusion_model." + matrix + (is_a ? ".lora_down.weight" : ".lora_up.weight");
  };
  ExpectSameChange(ReadAdapter(Write(lora, down_up), Network()), lora);
  const auto bare = [](const std::string& matrix, bool is_a) {
    return matrix + (is_a ? ".lora_A.default.weight" : ".lora_B.default.weight");
  };
  ExpectSameChange(ReadAdapter(Write(lora, bare), Network()), lora);
}

// alpha / rank, from a tensor beside each matrix: one of them differs.
TEST_F(AdapterTest, AlphaBesideAMatrixCounts) {
  Lora lora = RandomLora(2, 2);
  const auto names = [](const std::string& matrix, bool is_a) {
    return matrix + (is_a ? ".lora_down.weight" : ".lora_up.weight");
  };
  const fs::path file = Write(lora, names, {{"blocks.0.ffn.0.alpha", at::tensor(8.0f)}});
  const Lora read = ReadAdapter(file, Network());
  at::Tensor& b = lora.weights.at("blocks.0.ffn.0.lora_B.weight");
  b = b * 4;
  ExpectSameChange(read, lora);
}

TEST_F(AdapterTest, PeftsOwnPatternsCount) {
  Lora lora = RandomLora();
  WriteAdapter(folder_ / "a", lora);
  nlohmann::json config = nlohmann::json::parse(ReadFile(folder_ / "a/adapter_config.json"));
  config["alpha_pattern"] = {{"blocks.0.ffn.0", 2}};
  WriteFileAtomic(folder_ / "a/adapter_config.json", config.dump());
  const Lora read = ReadAdapter(folder_ / "a", Network());
  at::Tensor& b = lora.weights.at("blocks.0.ffn.0.lora_B.weight");
  b = b / 3;  // 2 / 2 in place of 6 / 2
  ExpectSameChange(read, lora);
  config["alpha_pattern"] = nlohmann::json::object();
  config["use_rslora"] = true;
  WriteFileAtomic(folder_ / "a/adapter_config.json", config.dump());
  EXPECT_NEAR(ReadAdapter(folder_ / "a", Network()).scale, 6 / std::sqrt(2.0), 1e-12);
}

TEST_F(AdapterTest, WhatIsNoAdapterOfThisNetworkIsRefused) {
  const Lora lora = RandomLora();
  const auto names = [](const std::string& matrix, bool is_a) {
    return matrix + (is_a ? ".lora_A.weight" : ".lora_B.weight");
  };
  Refuses(folder_ / "missing.safetensors", {"missing.safetensors"});
  Refuses(Write(lora, names, {{"blocks.0.ffn.0.diff_b", at::zeros({2})}}),
          {"1 tensor beside factors", "diff_b"});
  Refuses(Write(lora, names, {{"blocks.7.ffn.0.lora_A.weight", at::zeros({2, 2})}}),
          {"blocks.7.ffn.0.lora_A.weight unknown"});
  Refuses(Write(lora, [](const std::string& matrix,
                         bool is_a) { return matrix + (is_a ? ".hada_w1_a" : ".hada_w1_b"); }),
          {"without any"});
  Lora broken = RandomLora();
  broken.weights.at("blocks.0.ffn.0.lora_A.weight")[0][0] = NAN;
  Refuses(Write(broken, names), {"NaN"});
  WriteAdapter(folder_ / "a", lora);
  nlohmann::json config = nlohmann::json::parse(ReadFile(folder_ / "a/adapter_config.json"));
  config["use_dora"] = true;
  WriteFileAtomic(folder_ / "a/adapter_config.json", config.dump());
  Refuses(folder_ / "a", {"DoRA"});
  WriteFileAtomic(folder_ / "a/adapter_config.json", "[");
  testing::ExpectThrowsWith<FormatError>([&] { ReadAdapter(folder_ / "a", Network()); },
                                         {"adapter_config.json", "no JSON object"});
  fs::remove(folder_ / "a/adapter_config.json");
  Refuses(folder_ / "a", {"adapter_config.json is missing"});
}

class BundleAdapterTest : public AdapterTest {
 protected:
  BundleAdapterTest() {
    testing::WriteTinyBundle(folder_ / "base");
    WriteBundle(folder_ / "one", LoadBundleConfig(folder_ / "base"), first_, "first",
                folder_ / "base");
    WriteBundle(folder_ / "two", LoadBundleConfig(folder_ / "one"), second_, "second",
                folder_ / "one");
  }

  WeightMap Load(const std::string& bundle, const std::string& adapter = "") const {
    LoadOptions load;
    load.adapter = adapter;
    return LoadBundle(folder_ / bundle, load).dit.NamedWeights();
  }

  void ExpectChanged(const WeightMap& weights, const Lora& lora) const {
    const WeightMap base = Load("base");
    for (const auto& [name, weight] : weights) {
      EXPECT_TRUE(at::allclose(weight, MergedWeight(name, base.at(name), lora), 1e-5, 1e-6))
          << name;
    }
  }

  Lora first_ = RandomLora(2, 2, 1);
  Lora second_ = RandomLora(3, 3, 2);
};

TEST_F(BundleAdapterTest, ABundleIsUsedWithTheAdapterThatItNames) {
  EXPECT_EQ(LoadBundleConfig(folder_ / "one").adapter, "first");
  ExpectChanged(Load("one"), first_);
  ExpectChanged(Load("one", "none"), {});
  EXPECT_TRUE(fs::equivalent(folder_ / "one/dit.safetensors", folder_ / "base/dit.safetensors"));
}

TEST_F(BundleAdapterTest, SeveralAdaptersLieInOneAndAreChosenByName) {
  EXPECT_THAT(AdaptersOf(folder_ / "base"), IsEmpty());
  EXPECT_THAT(AdaptersOf(folder_ / "two"), ElementsAre("first", "second"));
  ExpectChanged(Load("two"), second_);
  ExpectChanged(Load("two", "first"), first_);
  WriteAdapter(folder_ / "elsewhere", first_);
  ExpectChanged(Load("base", (folder_ / "elsewhere").string()), first_);
  testing::ExpectThrowsWith<InputError>([&] { Load("two", "frist"); },
                                        {"--adapter", "frist", "first, second"});
}

TEST_F(BundleAdapterTest, MergingMakesABundleThatNeedsNone) {
  RunContext run({.out = folder_ / "merged"});
  const AdapterMergeReport report = RunAdapterMerge({.model = (folder_ / "two").string(),
                                                     .adapter = "first",
                                                     .weight = 0.5,
                                                     .dtype = StorageDtype::kF32},
                                                    run);
  EXPECT_EQ(report.num_matrices, std::ssize(first_.weights) / 2);
  EXPECT_EQ(LoadBundleConfig(folder_ / "merged").adapter, "");
  EXPECT_THAT(AdaptersOf(folder_ / "merged"), IsEmpty());
  Lora half = first_;
  half.scale *= 0.5;
  ExpectChanged(Load("merged"), half);
  RunContext again({.out = folder_ / "again"});
  testing::ExpectThrowsWith<ConfigError>(
      [&] { RunAdapterMerge({.model = (folder_ / "base").string()}, again); },
      {"--adapter", "not given"});
}

}  // namespace
}  // namespace aim
