#include "aim/bundle/open_part.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/base/error.h"
#include "aim/bundle/convert.h"
#include "aim/bundle/inspect.h"
#include "aim/tensor/safetensors.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

WeightMap Transformer() {
  return ReadSafetensors(testing::DiffusersPipeline() /
                         "transformer/diffusion_pytorch_model.safetensors");
}
WeightMap Vae() {
  return ReadSafetensors(testing::DiffusersPipeline() / "vae/diffusion_pytorch_model.safetensors");
}
WeightMap Text() {
  return ReadSafetensors(testing::DiffusersPipeline() / "text_encoder/model.safetensors");
}

void Add(const WeightMap& part, const std::string& prefix, WeightMap& all) {
  for (const auto& [name, tensor] : part) all[prefix + name] = tensor;
}

struct UnusableCase {
  const char* name;
  const char* file;
  WeightMap weights;
  std::vector<std::string> words;
};

std::vector<UnusableCase> UnusableCases() {
  WeightMap all;
  Add(Transformer(), "model.diffusion_model.", all);
  Add(Vae(), "first_stage_model.", all);
  Add(Text(), "cond_stage_model.", all);
  WeightMap quantised = Transformer();
  quantised["blocks.0.attn1.to_q.scale_weight"] = at::ones({1});
  WeightMap peft = Transformer();
  peft["blocks.0.attn1.to_q.lora_A.default.weight"] = at::ones({4, 24});
  return {
      {"all in one",
       "w.safetensors",
       all,
       {"an all-in-one file of several models: cond_stage_model (umt5_encoder), first_stage_model "
        "(wan_vae_2.2), model (wan_dit)",
        "--key cond_stage_model"}},
      {"peft", "w.safetensors", peft, {"an adapter (LoRA): 1 of its", "aim-model merge"}},
      {"diffusers adapter",
       "w.safetensors",
       {{"transformer.blocks.0.attn1.to_q.lora_A.weight", at::ones({4, 24})},
        {"transformer.blocks.0.attn1.to_q.lora_B.weight", at::ones({24, 4})}},
       {"an adapter (LoRA): 2 of its 2"}},
      {"kohya adapter",
       "w.safetensors",
       {{"lora_unet_blocks_0_self_attn_q.lora_down.weight", at::ones({4, 24})},
        {"lora_unet_blocks_0_self_attn_q.lora_up.weight", at::ones({24, 4})},
        {"lora_unet_blocks_0_self_attn_q.alpha", at::ones({})}},
       {"an adapter (LoRA): 2 of its 3"}},
      {"quantised", "w.safetensors", quantised, {"quantised: 1 of its", "float16"}},
      {"lone shard",
       "diffusion_pytorch_model-00001-of-00003.safetensors",
       Transformer(),
       {"one shard of several", "the folder that holds all of them"}}};
}

// Inspecting says what a file is; nothing is made of it.
TEST(OpenPartTest, WhatIsNoModelIsNamed) {
  for (const UnusableCase& line : UnusableCases()) {
    SCOPED_TRACE(line.name);
    const TemporaryFolder folder;
    const fs::path path = folder / line.file;
    WriteSafetensors(path, line.weights);
    std::vector<std::string> words = line.words;
    words.emplace_back(line.file);
    ExpectThrowsWith<InputError>([&] { OpenPart(path); }, words);
    ExpectThrowsWith<InputError>([&] { OpenPart(path, Architecture::kDit); }, words);
    const std::string problem = InspectModel(path)["problem"];
    for (const std::string& word : words) EXPECT_THAT(problem, HasSubstr(word));
    RunContext run;
    ConvertOptions options;
    options.source = path.string();
    options.destination = (folder / "out.safetensors").string();
    ExpectThrowsWith<InputError>([&] { RunConvert(options, run); }, words);
    EXPECT_FALSE(fs::exists(folder / "out.safetensors"));
  }
}

TEST(OpenPartTest, APartOfAnAllInOneFileIsTakenOut) {
  const TemporaryFolder folder;
  WeightMap all;
  Add(Transformer(), "model.diffusion_model.", all);
  Add(Vae(), "first_stage_model.", all);
  WriteSafetensors(folder / "all.safetensors", all);
  for (const auto& [key, architecture, weights] :
       {std::tuple{"model", "wan_dit", Transformer()},
        std::tuple{"first_stage_model", "wan_vae_2.2", Vae()}}) {
    ConvertOptions options;
    options.source = (folder / "all.safetensors").string();
    options.destination = (folder / (std::string(key) + ".safetensors")).string();
    options.key = key;
    RunContext run;
    EXPECT_EQ(RunConvert(options, run)["architecture"], architecture);
    const OpenedPart part = OpenPart(options.destination);
    EXPECT_EQ(Fingerprint(part.weights),
              Fingerprint(OriginalNames(weights, part.architecture, "file")));
    EXPECT_EQ(InspectModel(folder / "all.safetensors", key)["architecture"], architecture);
  }
}

// A whole T5, with its tokenizer in the file: its encoder, and a note.
TEST(OpenPartTest, WhatIsLeftOutIsNoted) {
  const TemporaryFolder folder;
  WeightMap whole = Text();
  const OpenedPart encoder =
      OpenPart(testing::DiffusersPipeline() / "text_encoder/model.safetensors");
  EXPECT_TRUE(encoder.notes.empty());
  whole["decoder.final_layer_norm.weight"] = at::ones({16});
  whole["lm_head.weight"] = at::ones({4, 16});
  whole["spiece_model"] = at::zeros({100}, at::kByte);
  WriteSafetensors(folder / "t5.safetensors", whole);
  const OpenedPart part = OpenPart(folder / "t5.safetensors", Architecture::kUmt5);
  EXPECT_EQ(Fingerprint(part.weights), Fingerprint(encoder.weights));
  EXPECT_THAT(
      part.notes,
      ::testing::ElementsAre(HasSubstr(
          "t5.safetensors: decoder.final_layer_norm.weight and 2 more, no part of the encoder")));
}

TEST(OpenPartTest, OtherStateDictsAreNoted) {
  const WeightFile file{.tensors = {},
                        .metadata = {},
                        .format = "torch zip",
                        .files = {},
                        .key = "model",
                        .other_keys = {"ema"}};
  EXPECT_THAT(NotesOn(file, Architecture::kDit, "w.pth"),
              ::testing::ElementsAre("w.pth: the weights under model were taken; ema holds others, "
                                     "to be taken with --key"));
}

}  // namespace
}  // namespace aim
