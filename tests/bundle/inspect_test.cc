#include "aim/bundle/inspect.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "aim/base/error.h"
#include "aim/tensor/safetensors.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using aim::testing::TemporaryFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct KitCase {
  const char* part;
  const char* file;
  const char* architecture;
  std::vector<const char*> words;  // of the summary
  const char* size_name;
  int size;
};

// The committed random pipeline (scripts/make_parity_fixtures.py) under its Diffusers names.
TEST(Inspect, SaysWhatAFileIs) {
  const KitCase table[] = {
      {"transformer",
       "diffusion_pytorch_model.safetensors",
       "wan_dit",
       {"2 layers", "dim 24", "camera conditioning by 1024 features and a projector"},
       "ffn_dim",
       40},
      {"vae",
       "diffusion_pytorch_model.safetensors",
       "wan_vae_2.2",
       {"2.2 VAE", "4 latent channels", "16 x 16 pixels and 4 frames"},
       "decoder_base_dim",
       6},
      {"text_encoder",
       "model.safetensors",
       "umt5_encoder",
       {"2 layers", "dim 16", "2 heads"},
       "head_dim",
       8},
  };
  for (const KitCase& line : table) {
    const std::filesystem::path path = testing::DiffusersPipeline() / line.part / line.file;
    const nlohmann::json report = InspectModel(path);
    EXPECT_EQ(report["kind"], "safetensors");
    EXPECT_EQ(report["architecture"], line.architecture);
    for (const char* word : line.words) {
      EXPECT_THAT(report["summary"].get<std::string>(), HasSubstr(word)) << line.part;
    }
    EXPECT_EQ(report["sizes"][line.size_name], line.size) << line.part;
    EXPECT_EQ(report["dtypes"], nlohmann::json({{"Half", report["tensors"].size()}}));
    EXPECT_EQ(report["bytes"], std::filesystem::file_size(path));
    EXPECT_EQ(report["files"], nlohmann::json::array({path.string()}));
    EXPECT_FALSE(report.contains("problem")) << report["problem"];
  }
}

// A part says what its weight file says alone.
TEST(Inspect, SaysWhatAPipelineHolds) {
  const nlohmann::json report = InspectModel(testing::DiffusersPipeline());
  EXPECT_EQ(report["kind"], "diffusers pipeline");
  EXPECT_EQ(report["class"], "WanPipeline");
  EXPECT_EQ(report["parts"].size(), 5u);  // transformer_2 is left out
  EXPECT_EQ(report["parts"]["scheduler"]["class"], "UniPCMultistepScheduler");
  EXPECT_EQ(report["parts"]["tokenizer"]["class"], "T5Tokenizer");
  int64_t parameters = 0;
  for (const auto& [name, type, file] :
       {std::tuple{"transformer", "WanTransformer3DModel", "diffusion_pytorch_model.safetensors"},
        std::tuple{"vae", "AutoencoderKLWan", "diffusion_pytorch_model.safetensors"},
        std::tuple{"text_encoder", "UMT5EncoderModel", "model.safetensors"}}) {
    const nlohmann::json& part = report["parts"][name];
    const nlohmann::json alone = InspectModel(testing::DiffusersPipeline() / name / file);
    EXPECT_EQ(part["class"], type);
    EXPECT_EQ(part["tensors"], alone["tensors"].size());
    for (const char* key : {"architecture", "parameters", "dtypes", "fingerprint", "sizes"}) {
      EXPECT_EQ(part[key], alone[key]) << name << " " << key;
    }
    parameters += alone["parameters"].get<int64_t>();
  }
  EXPECT_EQ(report["parameters"], parameters);
}

TEST(Inspect, BrokenPipelineIsNamed) {
  const TemporaryFolder folder;
  std::filesystem::copy(testing::DiffusersPipeline(), folder / "copy",
                        std::filesystem::copy_options::recursive);
  std::filesystem::remove(folder / "copy/vae/diffusion_pytorch_model.safetensors");
  testing::ExpectThrowsWith<InputError>([&] { InspectModel(folder / "copy"); },
                                        {"vae", "without weights"});
}

TEST(Inspect, CountsTypesAndParameters) {
  const TemporaryFolder folder;
  const WeightMap weights = {{"a", at::ones({2, 3})},
                             {"b", at::ones({4}, at::kBFloat16)},
                             {"c", at::ones({5}, at::kBFloat16)},
                             {"d", at::ones({1}, at::kLong)}};
  WriteSafetensors(folder / "w.safetensors", weights, {{"step", "7"}});
  const nlohmann::json report = InspectModel(folder / "w.safetensors");
  EXPECT_EQ(report["architecture"], "unknown");
  EXPECT_EQ(report["parameters"], 16);
  EXPECT_EQ(report["dtypes"], (nlohmann::json{{"BFloat16", 2}, {"Float", 1}, {"Long", 1}}));
  EXPECT_EQ(report["fingerprint"], Fingerprint(weights));
  EXPECT_EQ(report["metadata"]["step"], "7");
  EXPECT_EQ(report["tensors"][0],
            (nlohmann::json{{"name", "a"}, {"dtype", "Float"}, {"shape", {2, 3}}}));
  EXPECT_FALSE(report.contains("sizes"));
}

// An incomplete file is told apart and its gap named.
TEST(Inspect, ProblemsAreSaid) {
  const TemporaryFolder folder;
  WriteSafetensors(folder / "w.safetensors",
                   {{"patch_embedding.weight", at::ones({8, 4, 1, 2, 2})}});
  const nlohmann::json report = InspectModel(folder / "w.safetensors");
  EXPECT_EQ(report["architecture"], "wan_dit");
  EXPECT_THAT(report["problem"].get<std::string>(),
              AllOf(HasSubstr("w.safetensors"), HasSubstr("missing")));
  testing::ExpectThrowsWith<InputError>([&] { InspectModel(folder / "absent"); },
                                        {"absent", "missing"});
}

// Options of an autoencoder or text encoder that the bundle has not are none of its.
TEST(Inspect, ABundleShowsWhatItHas) {
  const nlohmann::json config = InspectModel(testing::SourceDir() / "assets/tiny")["config"];
  EXPECT_TRUE(config["autoencoder"].contains("pca"));
  EXPECT_FALSE(config["autoencoder"].contains("wan_vae"));
  EXPECT_TRUE(config["text"].contains("hashed_words"));
  EXPECT_FALSE(config["text"].contains("umt5"));
}

}  // namespace
}  // namespace aim
