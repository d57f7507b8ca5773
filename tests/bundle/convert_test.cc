#include "aim/bundle/convert.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/bundle/weight_names.h"
#include "aim/model/dit.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using aim::testing::ExpectThrowsWith;
using aim::testing::TemporaryFolder;

std::filesystem::path Kit(const std::string& name) {
  return aim::testing::DiffusersPipeline() / name;
}

const char kTransformer[] = "transformer/diffusion_pytorch_model.safetensors";

ConvertOptions Options(const std::filesystem::path& source,
                       const std::filesystem::path& destination) {
  ConvertOptions options;
  options.source = source.string();
  options.destination = destination.string();
  return options;
}

TEST(Convert, DiffusersNamesBecomeOriginal) {
  const TemporaryFolder folder;
  RunContext run;
  const nlohmann::json report =
      RunConvert(Options(Kit(kTransformer), folder / "a.safetensors"), run);
  EXPECT_EQ(report["architecture"], "wan_dit");
  const WeightMap source = ReadSafetensors(Kit(kTransformer));
  const WeightMap wanted = OriginalDitNames(source);
  const SafetensorsFile written = OpenSafetensors(folder / "a.safetensors");
  EXPECT_EQ(Fingerprint(written.tensors), Fingerprint(wanted));
  EXPECT_NE(Fingerprint(written.tensors), Fingerprint(source));
  EXPECT_EQ(written.metadata.at("format"), "pt");
  EXPECT_EQ(report["tensors"], source.size());
  EXPECT_EQ(report["dtypes"], nlohmann::json({{"Half", source.size()}}));
  EXPECT_EQ(report["bytes"], std::filesystem::file_size(folder / "a.safetensors"));
}

TEST(Convert, IsRecordedBesideTheFile) {
  const TemporaryFolder folder;
  RunContext run;
  RunConvert(Options(Kit(kTransformer), folder / "new/a.safetensors"), run);
  ASSERT_TRUE(run.prepared());
  run.WriteRunRecord({}, {"aim-model"}, 1.0);
  EXPECT_TRUE(std::filesystem::exists(folder / "new/a.safetensors.run.json"));
}

TEST(Convert, NamesMayStay) {
  const TemporaryFolder folder;
  ConvertOptions options = Options(Kit(kTransformer), folder / "a.safetensors");
  options.names = WeightNaming::kKeep;
  RunContext run;
  RunConvert(options, run);
  EXPECT_EQ(Fingerprint(ReadSafetensors(folder / "a.safetensors")),
            Fingerprint(ReadSafetensors(Kit(kTransformer))));
}

// Only floating-point tensors change type; a wider type changes no value.
TEST(Convert, StorageTypes) {
  const TemporaryFolder folder;
  const WeightMap weights = {{"a", at::linspace(-3, 3, 7, at::kFloat)},
                             {"b", at::ones({2, 3}, at::kBFloat16)},
                             {"c", at::arange(4, at::kLong)},
                             {"empty", at::empty({0, 3})}};
  WriteSafetensors(folder / "in.safetensors", weights);
  for (const auto& [word, type] : {std::pair("f32", at::kFloat), std::pair("f16", at::kHalf),
                                   std::pair("bf16", at::kBFloat16)}) {
    ConvertOptions options = Options(folder / "in.safetensors", folder / word);
    options.names = WeightNaming::kKeep;
    options.dtype = FromWord<StorageDtype>(word, "dtype");
    RunContext run;
    RunConvert(options, run);
    for (const auto& [name, tensor] : ReadSafetensors(folder / word)) {
      const at::Tensor wanted = name == "c" ? weights.at(name) : weights.at(name).to(type);
      EXPECT_EQ(tensor.scalar_type(), wanted.scalar_type()) << word << ", " << name;
      EXPECT_TRUE(at::equal(tensor, wanted)) << word << ", " << name;
    }
  }
}

TEST(Convert, EveryBrokenWeightIsListedAndNothingIsWritten) {
  const TemporaryFolder folder;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  at::Tensor late = at::zeros({5'000'000});  // broken beyond the first chunk that is checked
  late[4'999'999] = infinity;
  WriteSafetensors(folder / "in.safetensors", {{"fine", at::ones({3})},
                                               {"first", at::full({2}, nan)},
                                               {"late", late},
                                               {"large", at::full({2}, 1e6)},
                                               {"wide", at::full({2}, 1e5).to(at::kBFloat16)}});
  ConvertOptions options = Options(folder / "in.safetensors", folder / "out.safetensors");
  options.names = WeightNaming::kKeep;
  options.dtype = StorageDtype::kF16;
  RunContext run;
  ExpectThrowsWith<InputError>([&] { RunConvert(options, run); },
                               {"in.safetensors", "NaN or Inf in first, late",
                                "too large for the storage type in large, wide"});
  EXPECT_FALSE(std::filesystem::exists(folder / "out.safetensors"));
  options.dtype = StorageDtype::kBf16;
  ExpectThrowsWith<InputError>([&] { RunConvert(options, run); }, {"NaN or Inf in first, late"});
}

TEST(Convert, RefusesWhatItCannotDo) {
  const TemporaryFolder folder;
  WriteSafetensors(folder / "in.safetensors", {{"a", at::ones({3})}});
  std::ofstream(folder / "there") << "x";
  std::filesystem::create_directory(folder / "folder");
  RunContext run;
  ExpectThrowsWith<InputError>(
      [&] { RunConvert(Options(folder / "in.safetensors", folder / "out"), run); },
      {"in.safetensors", "--names keep"});
  ExpectThrowsWith<ConfigError>(
      [&] { RunConvert(Options(folder / "in.safetensors", folder / "there"), run); },
      {"there already", "--overwrite"});
  CommonOptions overwrite;
  overwrite.overwrite = true;
  RunContext overwriting(overwrite);
  ExpectThrowsWith<ConfigError>(
      [&] { RunConvert(Options(folder / "in.safetensors", folder / "folder"), overwriting); },
      {"a folder"});
  ExpectThrowsWith<InputError>([&] { RunConvert(Options(folder / "absent", folder / "out"), run); },
                               {"absent", "missing"});
  EXPECT_EQ(ReadFile(folder / "there"), "x");
  ConvertOptions keep = Options(folder / "in.safetensors", folder / "there");
  keep.names = WeightNaming::kKeep;
  CommonOptions with_out;
  with_out.out = folder / "elsewhere";
  with_out.overwrite = true;
  RunContext two_outputs(with_out);
  ExpectThrowsWith<ConfigError>([&] { RunConvert(keep, two_outputs); }, {"--out", "leave out"});
  RunConvert(keep, overwriting);
  EXPECT_EQ(ReadSafetensors(folder / "there").size(), 1u);
}

}  // namespace
}  // namespace aim
