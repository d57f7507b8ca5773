#include "aim/bundle/scaled_weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "aim/base/run_context.h"
#include "aim/bundle/adapter.h"
#include "aim/bundle/bundle.h"
#include "aim/bundle/convert.h"
#include "aim/bundle/inspect.h"
#include "aim/bundle/open_part.h"
#include "aim/kernels/scaled_product.h"
#include "aim/model/dit_fp8.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using testing::ExpectThrowsWith;
using testing::TemporaryFolder;

LoadOptions In(at::ScalarType dtype, bool fp8 = false) {
  LoadOptions options;
  options.dtype = dtype;
  options.fp8 = fp8;
  return options;
}

fs::path Tiny() { return testing::SourceDir() / "assets/tiny"; }

// The shipped bundle with its network stored in eight bits.
void WriteScaledBundle(const fs::path& bundle) {
  fs::copy(Tiny(), bundle);
  RunContext run;
  ConvertOptions options;
  options.source = (Tiny() / "dit.safetensors").string();
  options.destination = (bundle / "fp8.safetensors").string();
  options.dtype = StorageDtype::kFp8;
  const nlohmann::json report = RunConvert(options, run);
  EXPECT_EQ(report["dtypes"]["Float8_e4m3fn"], 4 * 8);
  fs::rename(bundle / "fp8.safetensors", bundle / "dit.safetensors");
}

bool SameBits(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && at::equal(a.view(at::kByte), b.view(at::kByte));
}

// Reading quantised weights gives exactly what quantising at load gives.
TEST(ScaledBundleTest, GivesTheBitsOfQuantisingAtLoad) {
  const TemporaryFolder folder;
  WriteScaledBundle(folder / "scaled");
  const BundleConfig config = LoadBundleConfig(Tiny());
  const Dit at_load = LoadDit(Tiny(), config, In(at::kBFloat16, true)),
            stored = LoadDit(folder / "scaled", config, In(at::kBFloat16, true));
  const WeightMap expected = at_load.NamedWeights(), got = stored.NamedWeights();
  for (const auto& [name, weight] : expected) EXPECT_TRUE(SameBits(got.at(name), weight)) << name;
  for (size_t i = 0; i < at_load.weights.blocks.size(); ++i) {
    const LinearWeights& first = at_load.weights.blocks[i].ffn_up;
    const LinearWeights& second = stored.weights.blocks[i].ffn_up;
    const bool is_scaled = i > 0 && i + 1 < at_load.weights.blocks.size();
    ASSERT_EQ(first.scale.defined(), is_scaled) << i;
    ASSERT_EQ(second.scale.defined(), is_scaled) << i;
    if (!is_scaled) continue;
    EXPECT_TRUE(SameBits(first.scale, second.scale)) << i;
  }
}

// In other types it is the network that was quantised, to half of the last of four bits.
TEST(ScaledBundleTest, IsReadInEveryType) {
  const TemporaryFolder folder;
  WriteScaledBundle(folder / "scaled");
  const BundleConfig config = LoadBundleConfig(Tiny());
  const std::string name = "blocks.2.ffn.0.weight", kept = "blocks.0.ffn.0.weight";
  const WeightMap plain = LoadDit(Tiny(), config).NamedWeights();
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const WeightMap got = LoadDit(folder / "scaled", config, In(dtype)).NamedWeights();
    EXPECT_EQ(got.at(name).scalar_type(), dtype);
    const at::Tensor error = (got.at(name).to(at::kFloat) - plain.at(name)).abs();
    const at::Tensor largest = plain.at(name).abs().amax(1, true);
    EXPECT_TRUE(
        (error <= at::maximum(plain.at(name).abs() * 0.07, largest * 1e-5)).all().item<bool>());
    EXPECT_TRUE(at::equal(got.at(kept), plain.at(kept).to(dtype)));
  }
}

// An adapter is added before, to what is stored, in eight bits or more.
TEST(ScaledBundleTest, AnAdapterIsAddedBeforeQuantising) {
  const TemporaryFolder folder;
  WriteScaledBundle(folder / "scaled");
  const BundleConfig config = LoadBundleConfig(Tiny());
  Lora lora = InitialLora(config.dit, {.rank = 2}, Rng(1));
  at::manual_seed(2);
  for (auto& [factor, weight] : lora.weights) weight = at::randn_like(weight) * 0.1;
  WriteAdapter(folder / "adapter", lora);
  const std::string name = "blocks.2.ffn.0.weight";
  for (const fs::path& bundle : {Tiny(), folder / "scaled"}) {
    const at::Tensor plain = LoadDit(bundle, config).NamedWeights().at(name);
    LoadOptions options = In(at::kBFloat16, true);
    options.adapter = (folder / "adapter").string();
    const Dit changed = LoadDit(bundle, config, options);
    const ScaledRows expected = QuantiseRows(MergedWeight(name, plain, lora));
    const LinearWeights& got = changed.weights.blocks[2].ffn_up;
    EXPECT_TRUE(SameBits(got.weight, expected.values)) << bundle;
    EXPECT_TRUE(SameBits(got.scale, expected.scale)) << bundle;
    EXPECT_FALSE(SameBits(got.weight, QuantiseRows(plain).values)) << bundle;
  }
}

TEST(ScaledBundleTest, InspectTellsWhatIsOfEightBits) {
  const TemporaryFolder folder;
  WriteScaledBundle(folder / "scaled");
  const nlohmann::json plain = InspectModel(Tiny()), scaled = InspectModel(folder / "scaled");
  EXPECT_EQ(plain["files"]["dit.safetensors"]["scaled"], 0);
  EXPECT_EQ(scaled["files"]["dit.safetensors"]["scaled"], 4 * 8);
  EXPECT_EQ(scaled["parameters"], plain["parameters"]);
  EXPECT_EQ(plain["fp8"]["blocks"], "1 to 4");
  EXPECT_EQ(plain["fp8"]["matrices"].size(), 8u);
  EXPECT_LT(scaled["files"]["dit.safetensors"]["bytes"],
            plain["files"]["dit.safetensors"]["bytes"].get<int64_t>() * 3 / 4);
}

// What needs whole weights says so.
TEST(ScaledBundleTest, OthersRefuseIt) {
  const TemporaryFolder folder;
  WriteScaledBundle(folder / "scaled");
  const BundleConfig config = LoadBundleConfig(folder / "scaled");
  ExpectThrowsWith<InputError>([&] { OpenDit(folder / "scaled", config); },
                               {"dit.safetensors", "eight bits"});
  RunContext run;
  ConvertOptions options;
  options.source = (folder / "scaled/dit.safetensors").string();
  options.destination = (folder / "again.safetensors").string();
  for (const StorageDtype dtype : {StorageDtype::kBf16, StorageDtype::kFp8}) {
    options.dtype = dtype;
    ExpectThrowsWith<InputError>([&] { RunConvert(options, run); }, {"eight bits", "--dtype keep"});
  }
  options.dtype = StorageDtype::kKeep;
  RunConvert(options, run);
  const WeightMap before = ReadSafetensors(options.source),
                  after = ReadSafetensors(options.destination);
  ASSERT_EQ(before.size(), after.size());
  for (const auto& [name, weight] : before) EXPECT_TRUE(SameBits(after.at(name), weight)) << name;
}

TEST(ConvertTest, OfABundleOneOfItsFilesIsAskedFor) {
  const TemporaryFolder folder;
  RunContext run;
  ConvertOptions options;
  options.source = Tiny().string();
  options.destination = (folder / "out.safetensors").string();
  ExpectThrowsWith<ConfigError>([&] { RunConvert(options, run); },
                                {"a bundle", "tiny/dit.safetensors"});
}

TEST(ConvertTest, RefusesWhatHasNoMatricesOfEightBits) {
  const TemporaryFolder folder;
  RunContext run;
  ConvertOptions options;
  options.dtype = StorageDtype::kFp8;
  options.destination = (folder / "out.safetensors").string();
  options.source =
      (testing::DiffusersPipeline() / "vae/diffusion_pytorch_model.safetensors").string();
  ExpectThrowsWith<ConfigError>([&] { RunConvert(options, run); }, {"--dtype fp8", "wan_vae_2.2"});
  options.source =
      (testing::DiffusersPipeline() / "transformer/diffusion_pytorch_model.safetensors").string();
  ExpectThrowsWith<ConfigError>([&] { RunConvert(options, run); }, {"dit.", "bf16"});
  EXPECT_FALSE(fs::exists(options.destination));
}

struct ScalesCase {
  const char* name;
  WeightMap weights;
  bool has_scales;
};

TEST(HasRowScalesTest, OnlyWhereEveryNarrowWeightHasItsRows) {
  const at::Tensor narrow = at::zeros({4, 6}).to(at::kFloat8_e4m3fn), scale = at::ones({4});
  const ScalesCase cases[] = {
      {"rows", {{"a.weight", narrow}, {"a.weight_scale", scale}}, true},
      {"columns of rows", {{"a.weight", narrow}, {"a.weight_scale", scale.view({4, 1})}}, true},
      {"beside others",
       {{"a.weight", narrow}, {"a.weight_scale", scale}, {"b.weight", at::ones({2})}},
       true},
      {"no scales", {{"a.weight", narrow}}, false},
      {"nothing narrow", {{"a.weight", at::ones({4, 6})}}, false},
      {"one scale for all", {{"a.weight", narrow}, {"a.weight_scale", at::ones({1})}}, false},
      {"another ending", {{"a.weight", narrow}, {"a.scale_weight", scale}}, false},
      {"one of two",
       {{"a.weight", narrow}, {"a.weight_scale", scale}, {"b.weight", narrow}},
       false},
      {"a wide weight", {{"a.weight", at::ones({4, 6})}, {"a.weight_scale", scale}}, false},
      {"a scale alone", {{"a.weight_scale", scale}}, false}};
  for (const ScalesCase& row : cases) {
    EXPECT_EQ(HasRowScales(row.weights), row.has_scales) << row.name;
    WeightMap rest = row.weights;
    const WeightMap scales = TakeRowScales(rest);
    EXPECT_EQ(scales.size(), row.has_scales ? 1u : 0u) << row.name;
    EXPECT_EQ(rest.size() + scales.size(), row.weights.size()) << row.name;
    if (!row.has_scales) continue;
    EXPECT_EQ(scales.at("a.weight").sizes(), at::IntArrayRef({4}));
  }
}

}  // namespace
}  // namespace aim
