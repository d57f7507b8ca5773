#include "aim/bundle/diffusers_folder.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/bundle/weight_names.h"
#include "aim/model/dit.h"
#include "aim/model/wan_vae.h"
#include "aim/tensor/weight_file.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A copy of the committed pipeline (scripts/make_parity_fixtures.py) that a test may damage.
class DiffusersFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::copy(testing::DiffusersPipeline(), folder_.path(),
                          std::filesystem::copy_options::recursive);
  }

  json Read(const std::string& file) const { return json::parse(ReadFile(folder_ / file)); }
  void Write(const std::string& file, const json& content) const {
    std::ofstream(folder_ / file) << content.dump();
  }
  void Set(const std::string& file, const std::string& key, const json& value) const {
    json content = Read(file);
    content[key] = value;
    Write(file, content);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(DiffusersFolderTest, ReadsTheTransformer) {
  const DiffusersFolder found = ReadDiffusersFolder(folder_.path());
  EXPECT_EQ(found.dit.dim, 24);
  EXPECT_EQ(found.dit.num_heads, 2);
  EXPECT_EQ(found.dit.num_layers, 2);
  EXPECT_EQ(found.dit.in_channels, 4);
  EXPECT_EQ(found.dit.out_channels, 4);
  EXPECT_EQ(found.dit.ffn_dim, 40);
  EXPECT_EQ(found.dit.freq_dim, 16);
  EXPECT_EQ(found.dit.text_dim, 16);
  EXPECT_EQ(found.dit.patch, 2);
  EXPECT_EQ(found.dit.prediction, Prediction::kVelocity);
  EXPECT_EQ(found.dit.timestep_mode, TimestepMode::kScalar);
  EXPECT_EQ(found.dit.camera.mode, CameraMode::kPooledLatent);
  EXPECT_EQ(found.dit.camera.features, 1024);
  EXPECT_EQ(found.dit.camera.pool, 16);
  EXPECT_TRUE(found.dit.camera.projector);
  EXPECT_EQ(found.tokenizer, folder_ / "tokenizer");
  EXPECT_THAT(found.notes, IsEmpty());
  EXPECT_EQ(found.scheduler.kind, SamplerKind::kUnipc);
  EXPECT_EQ(found.scheduler.shift, 5.0);
}

// What the folder says is what its weights are.
TEST_F(DiffusersFolderTest, WeightsFitTheOptions) {
  const DiffusersFolder found = ReadDiffusersFolder(folder_.path());
  const WeightMap dit = OriginalDitNames(OpenWeights(found.dit_weights).tensors);
  EXPECT_NO_THROW(CheckWeights(dit, DitWeightShapes(found.dit), "dit"));
  const WeightMap vae = OriginalVaeNames(OpenWeights(found.vae_weights).tensors);
  EXPECT_NO_THROW(CheckWeights(vae, WanVaeWeightShapes(found.vae), "vae"));
  const WeightMap text = OriginalUmt5Names(OpenWeights(found.text_weights).tensors);
  EXPECT_NO_THROW(CheckWeights(text, Umt5WeightShapes(found.text), "text"));
}

TEST_F(DiffusersFolderTest, ReadsAutoencoderAndTextEncoder) {
  const DiffusersFolder found = ReadDiffusersFolder(folder_.path());
  EXPECT_EQ(found.vae.base_dim, 4);
  EXPECT_EQ(found.vae.decoder_base_dim, 6);
  EXPECT_EQ(found.vae.z_dim, 4);
  EXPECT_THAT(found.vae.dim_mult, ElementsAre(1, 2, 2, 2));
  EXPECT_EQ(found.vae.num_res_blocks, 1);
  EXPECT_THAT(found.vae.temporal_downsample, ElementsAre(false, true, true));
  EXPECT_EQ(found.vae.patch_size, 2);
  EXPECT_TRUE(found.vae.is_residual);
  EXPECT_EQ(found.vae.latents_mean, Read("vae/config.json")["latents_mean"]);
  EXPECT_EQ(found.vae.latents_std, Read("vae/config.json")["latents_std"]);
  EXPECT_EQ(found.text.dim, 16);
  EXPECT_EQ(found.text.head_dim, 8);
  EXPECT_EQ(found.text.num_heads, 2);
  EXPECT_EQ(found.text.ffn_dim, 40);
  EXPECT_EQ(found.text.num_layers, 2);
  EXPECT_EQ(found.text.vocab_size, Read("text_encoder/config.json")["vocab_size"]);
}

TEST_F(DiffusersFolderTest, AbsentKeysHaveTheDefaultsOfTheirClass) {
  // Without its camera weights the file fits any size.
  std::filesystem::remove(folder_ / "transformer/diffusion_pytorch_model.safetensors");
  std::ofstream(folder_ / "transformer/diffusion_pytorch_model.safetensors")
      << std::string("\x02\0\0\0\0\0\0\0{}", 10);
  Write("transformer/config.json", {{"_class_name", "WanTransformer3DModel"}});
  Write("vae/config.json", json::object());
  Write("text_encoder/config.json", json::object());
  const DiffusersFolder found = ReadDiffusersFolder(folder_.path());
  EXPECT_EQ(OptionsToJson(found.vae), OptionsToJson(Wan21VaeOptions()));
  EXPECT_EQ(found.text.dim, 512);
  EXPECT_EQ(found.text.num_heads, 6);
  EXPECT_EQ(found.text.vocab_size, 250112);
  // Wan2.1 14B.
  const DitOptions& dit = found.dit;
  EXPECT_EQ(dit.dim, 5120);
  EXPECT_EQ(dit.num_heads, 40);
  EXPECT_EQ(dit.num_layers, 40);
  EXPECT_EQ(dit.ffn_dim, 13824);
  EXPECT_EQ(dit.in_channels, 16);
  EXPECT_EQ(dit.out_channels, 16);
  EXPECT_EQ(dit.text_dim, 4096);
  EXPECT_EQ(dit.freq_dim, 256);
  EXPECT_EQ(dit.eps, 1e-6);
  EXPECT_EQ(dit.camera.mode, CameraMode::kNone);
}

TEST_F(DiffusersFolderTest, FirstFrameAtTimestepZero) {
  Set("model_index.json", "expand_timesteps", true);
  EXPECT_EQ(ReadDiffusersFolder(folder_.path()).dit.timestep_mode, TimestepMode::kGivenZero);
}

TEST_F(DiffusersFolderTest, SchedulersOfOtherKindsAreNoted) {
  const std::string file = "scheduler/scheduler_config.json";
  Set(file, "flow_shift", 3);
  Set(file, "solver_order", 3);
  DiffusersFolder found = ReadDiffusersFolder(folder_.path());
  EXPECT_EQ(found.scheduler.shift, 3.0);
  EXPECT_THAT(found.notes, ElementsAre(HasSubstr("solver_order is 3")));
  Write(file, {{"_class_name", "FlowMatchEulerDiscreteScheduler"}, {"shift", 8.0}});
  found = ReadDiffusersFolder(folder_.path());
  EXPECT_EQ(found.scheduler.kind, SamplerKind::kEuler);
  EXPECT_EQ(found.scheduler.shift, 8.0);
  EXPECT_EQ(found.scheduler.spacing, SigmaSpacing::kShifted);
  EXPECT_EQ(found.scheduler.sigma_terminal, 0);
  EXPECT_THAT(found.notes, IsEmpty());
  Write(file, {{"_class_name", "FlowMatchEulerDiscreteScheduler"},
               {"shift_terminal", 0.1},
               {"use_karras_sigmas", true},
               {"use_dynamic_shifting", true},
               {"invert_sigmas", true}});
  found = ReadDiffusersFolder(folder_.path());
  EXPECT_EQ(found.scheduler.shift, 1.0);
  EXPECT_EQ(found.scheduler.spacing, SigmaSpacing::kKarras);
  EXPECT_EQ(found.scheduler.sigma_terminal, 0.1);
  EXPECT_THAT(found.notes,
              ElementsAre(HasSubstr("use_dynamic_shifting is true"), HasSubstr("invert_sigmas")));
  Write(file,
        {{"_class_name", "FlowMatchEulerDiscreteScheduler"}, {"use_exponential_sigmas", true}});
  EXPECT_EQ(ReadDiffusersFolder(folder_.path()).scheduler.spacing, SigmaSpacing::kExponential);
  Write(file, {{"_class_name", "FlowMatchEulerDiscreteScheduler"}, {"shift_terminal", 1.5}});
  testing::ExpectThrowsWith<InputError>([&] { ReadDiffusersFolder(folder_.path()); },
                                        {"shift_terminal is 1.5"});
  Write(file, {{"_class_name", "DDIMScheduler"}});
  EXPECT_THAT(ReadDiffusersFolder(folder_.path()).notes, ElementsAre(HasSubstr("DDIMScheduler")));
  std::filesystem::remove_all(folder_ / "scheduler");
  std::filesystem::remove_all(folder_ / "tokenizer");
  found = ReadDiffusersFolder(folder_.path());
  EXPECT_THAT(found.notes, ElementsAre(HasSubstr("missing")));
  EXPECT_TRUE(found.tokenizer.empty());
}

// Transformers writes pytorch_model.bin where Diffusers writes diffusion_pytorch_model.bin; what
// the files hold does not matter here.
TEST_F(DiffusersFolderTest, WeightsOfTorch) {
  const std::filesystem::path text = folder_ / "text_encoder";
  std::filesystem::rename(text / "model.safetensors", text / "pytorch_model.bin");
  EXPECT_EQ(ReadDiffusersFolder(folder_.path()).text_weights, text / "pytorch_model.bin");
  std::filesystem::rename(text / "pytorch_model.bin", text / "pytorch_model.fp16.bin");
  EXPECT_EQ(ReadDiffusersFolder(folder_.path()).text_weights, text / "pytorch_model.fp16.bin");
  std::ofstream(text / "pytorch_model.bin.index.json") << "{}";
  EXPECT_EQ(ReadDiffusersFolder(folder_.path()).text_weights,
            text / "pytorch_model.bin.index.json");
}

struct BadKey {
  const char* name;
  const char* file;
  const char* key;
  json value;
  const char* words;
};

TEST_F(DiffusersFolderTest, WhatCannotBeComputedIsRefused) {
  const std::string transformer = "transformer/config.json";
  const BadKey table[] = {
      {"two transformers",
       "model_index.json",
       "transformer_2",
       {"diffusers", "WanTransformer3DModel"},
       "transformer_2"},
      {"boundary", "model_index.json", "boundary_ratio", 0.9, "boundary_ratio is 0.9"},
      {"image encoder",
       "model_index.json",
       "image_encoder",
       {"transformers", "CLIPVisionModel"},
       "image_encoder"},
      {"other text",
       "model_index.json",
       "text_encoder",
       {"transformers", "T5EncoderModel"},
       "T5EncoderModel"},
      {"class", "transformer/config.json", "_class_name", "WanVACETransformer3DModel",
       "_class_name"},
      {"image dim", "transformer/config.json", "image_dim", 1280, "image_dim is 1280"},
      {"added keys", "transformer/config.json", "added_kv_proj_dim", 24, "added_kv_proj_dim is 24"},
      {"positions", "transformer/config.json", "pos_embed_seq_len", 514,
       "pos_embed_seq_len is 514"},
      {"norm", "transformer/config.json", "qk_norm", "layer_norm", "qk_norm is \"layer_norm\""},
      {"no norm", "transformer/config.json", "qk_norm", nullptr, "qk_norm is null"},
      {"cross norm", "transformer/config.json", "cross_attn_norm", false,
       "cross_attn_norm is false"},
      {"patch in time",
       "transformer/config.json",
       "patch_size",
       {2, 2, 2},
       "patch_size is a list of 3"},
      {"oblong patch", "transformer/config.json", "patch_size", {1, 2, 4}, "patch_size"},
      {"patch text", "transformer/config.json", "patch_size", "2",
       "expected a list, each a whole number"},
      {"negative", "transformer/config.json", "num_layers", -1, "num_layers is -1"},
      {"fraction", "transformer/config.json", "num_layers", 1.5, "num_layers is 1.5"},
      {"huge", "transformer/config.json", "ffn_dim", 1e12, "ffn_dim"},
      {"odd head", "transformer/config.json", "attention_head_dim", 7, "transformer/config.json"},
      {"text eps", "transformer/config.json", "eps", "small", "eps is \"small\""},
      {"other width", "transformer/config.json", "attention_head_dim", 14, "cam_encoder"},
      {"vae attention", "vae/config.json", "attn_scales", {1.0}, "attn_scales is a list of 1"},
      {"vae pixels", "vae/config.json", "in_channels", 3, "in_channels is 3; expected 12"},
      {"vae stages", "vae/config.json", "temperal_downsample", {true}, "vae/config.json"},
      {"vae flags", "vae/config.json", "temperal_downsample", {0, 1, 1}, "true and false"},
      {"vae mean", "vae/config.json", "latents_mean", {0.5}, "vae/config.json"},
      {"vae class", "vae/config.json", "_class_name", "AutoencoderKL", "_class_name"},
      {"ungated", "text_encoder/config.json", "feed_forward_proj", "relu", "feed_forward_proj"},
      {"activation", "text_encoder/config.json", "dense_act_fn", "silu",
       "dense_act_fn is \"silu\""},
      {"plain t5", "text_encoder/config.json", "model_type", "t5", "model_type is \"t5\""},
      {"padding", "text_encoder/config.json", "pad_token_id", 7, "pad_token_id is 7"},
      {"scheduler", "scheduler/scheduler_config.json", "flow_shift", "x", "flow_shift is \"x\""},
  };
  for (const BadKey& line : table) {
    SCOPED_TRACE(line.name);
    const json before = Read(line.file);
    Set(line.file, line.key, line.value);
    testing::ExpectThrowsWith<InputError>([&] { ReadDiffusersFolder(folder_.path()); },
                                          {std::string(line.file).substr(0, 5), line.words});
    Write(line.file, before);
  }
  EXPECT_NO_THROW(ReadDiffusersFolder(folder_.path()));
}

TEST_F(DiffusersFolderTest, MissingFilesAreNamed) {
  for (const std::string file :
       {"transformer/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors",
        "vae/diffusion_pytorch_model.safetensors"}) {
    const std::filesystem::path part = (folder_ / file).parent_path();
    std::filesystem::rename(folder_ / file, folder_ / "aside");
    testing::ExpectThrowsWith<InputError>([&] { ReadDiffusersFolder(folder_.path()); },
                                          {part.string(), "without weights"});
    std::filesystem::rename(folder_ / "aside", folder_ / file);
  }
  for (const std::string file : {"transformer/config.json", "model_index.json"}) {
    std::filesystem::remove(folder_ / file);
    testing::ExpectThrowsWith<InputError>([&] { ReadDiffusersFolder(folder_.path()); },
                                          {file, "missing"});
  }
  for (const std::string text : {"", "{", "nonsense"}) {
    std::ofstream(folder_ / "model_index.json") << text;
    testing::ExpectThrowsWith<FormatError>([&] { ReadDiffusersFolder(folder_.path()); },
                                           {"model_index.json", "not valid JSON"});
  }
  std::ofstream(folder_ / "model_index.json") << "[]";
  testing::ExpectThrowsWith<FormatError>([&] { ReadDiffusersFolder(folder_.path()); },
                                         {"model_index.json", "expected a JSON object"});
}

}  // namespace
}  // namespace aim
