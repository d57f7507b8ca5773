#include "aim/bundle/weight_names.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "aim/base/error.h"
#include "aim/model/dit.h"
#include "support/throws.h"

namespace aim {
namespace {

using aim::testing::ExpectThrowsWith;
using Names = std::vector<std::string>;

// Every name has a tensor of its own, so that a mix-up shows.
WeightMap Numbered(const Names& names) {
  WeightMap weights;
  for (const std::string& name : names) {
    weights[name] = at::full({1}, static_cast<double>(weights.size()), at::kFloat);
  }
  return weights;
}

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

void AddBoth(Names& names, const std::string& layer) {
  names.push_back(layer + ".weight");
  names.push_back(layer + ".bias");
}

// The 825 names of the DiT, 945 with cameras (docs/reference/wan22.md 2.6,
// docs/reference/method.md 3.3).
Names DitNames(bool camera) {
  DitOptions options;
  options.num_layers = 30;
  if (camera) options.camera = {.mode = CameraMode::kPooledLatent, .projector = true};
  Names names;
  for (const auto& [name, shape] : DitWeightShapes(options)) names.push_back(name);
  return names;
}

// The table of docs/reference/wan22.md 2.6, read from left to right.
std::string DiffusersDitName(std::string name) {
  if (name == "head.modulation") return "scale_shift_table";
  name = Replace(name, "text_embedding.0", "condition_embedder.text_embedder.linear_1");
  name = Replace(name, "text_embedding.2", "condition_embedder.text_embedder.linear_2");
  name = Replace(name, "time_embedding.0", "condition_embedder.time_embedder.linear_1");
  name = Replace(name, "time_embedding.2", "condition_embedder.time_embedder.linear_2");
  name = Replace(name, "time_projection.1", "condition_embedder.time_proj");
  name = Replace(name, "head.head", "proj_out");
  name = Replace(name, ".modulation", ".scale_shift_table");
  name = Replace(name, ".norm3.", ".norm2.");
  name = Replace(name, ".ffn.0.", ".ffn.net.0.proj.");
  name = Replace(name, ".ffn.2.", ".ffn.net.2.");
  for (const auto& [old_part, new_part] :
       {std::pair("self_attn.", "attn1."), std::pair("cross_attn.", "attn2.")}) {
    for (const char* part : {"q.", "k.", "v."}) {
      name = Replace(name, std::string(old_part) + part, std::string(new_part) + "to_" + part);
    }
    name = Replace(name, std::string(old_part) + "o.", std::string(new_part) + "to_out.0.");
    name = Replace(name, old_part, new_part);
  }
  return name;
}

void AddResidual(Names& names, const std::string& block, bool shortcut) {
  names.push_back(block + ".residual.0.gamma");
  AddBoth(names, block + ".residual.2");
  names.push_back(block + ".residual.3.gamma");
  AddBoth(names, block + ".residual.6");
  if (shortcut) AddBoth(names, block + ".shortcut");
}

// What both generations share; `stages` adds the layers of one half.
Names VaeNames(const std::function<void(Names&, const std::string& half)>& stages) {
  Names names;
  AddBoth(names, "conv1");
  AddBoth(names, "conv2");
  for (const std::string half : {"encoder.", "decoder."}) {
    AddBoth(names, half + "conv1");
    AddResidual(names, half + "middle.0", false);
    names.push_back(half + "middle.1.norm.gamma");
    AddBoth(names, half + "middle.1.to_qkv");
    AddBoth(names, half + "middle.1.proj");
    AddResidual(names, half + "middle.2", false);
    names.push_back(half + "head.0.gamma");
    AddBoth(names, half + "head.2");
    stages(names, half);
  }
  return names;
}

// docs/reference/wan22.md, appendix A: 196 names.
Names Vae22Names() {
  return VaeNames([](Names& names, const std::string& half) {
    const bool down = half == "encoder.";
    const std::string list = down ? "downsamples." : "upsamples.";
    for (int stage = 0; stage < 4; ++stage) {
      const std::string head = half + list + std::to_string(stage) + "." + list;
      const int blocks = down ? 2 : 3;
      for (int block = 0; block < blocks; ++block) {
        const bool widens = down ? stage == 1 || stage == 2 : stage >= 2;
        AddResidual(names, head + std::to_string(block), block == 0 && widens);
      }
      if (stage == 3) continue;
      AddBoth(names, head + std::to_string(blocks) + ".resample.1");
      const bool in_time = down ? stage >= 1 : stage <= 1;
      if (in_time) AddBoth(names, head + std::to_string(blocks) + ".time_conv");
    }
  });
}

std::string DiffusersVaeCommon(std::string name) {
  if (name.starts_with("conv1")) return "quant_" + Replace(name, "conv1", "conv");
  if (name.starts_with("conv2")) return "post_quant_" + Replace(name, "conv2", "conv");
  name = Replace(name, "coder.conv1", "coder.conv_in");
  name = Replace(name, "head.0", "norm_out");
  name = Replace(name, "head.2", "conv_out");
  name = Replace(name, "middle.0", "mid_block.resnets.0");
  name = Replace(name, "middle.1", "mid_block.attentions.0");
  name = Replace(name, "middle.2", "mid_block.resnets.1");
  name = Replace(name, "residual.0", "norm1");
  name = Replace(name, "residual.2", "conv1");
  name = Replace(name, "residual.3", "norm2");
  name = Replace(name, "residual.6", "conv2");
  return Replace(name, ".shortcut", ".conv_shortcut");
}

std::string DiffusersVae22Name(std::string name) {
  name = DiffusersVaeCommon(name);
  for (const std::string stage : {"0", "1", "2", "3"}) {
    name = Replace(name, "encoder.downsamples." + stage + ".downsamples.2.re",
                   "encoder.down_blocks." + stage + ".downsampler.re");
    name = Replace(name, "encoder.downsamples." + stage + ".downsamples.2.ti",
                   "encoder.down_blocks." + stage + ".downsampler.ti");
    name = Replace(name, "encoder.downsamples." + stage + ".downsamples.",
                   "encoder.down_blocks." + stage + ".resnets.");
    name = Replace(name, "decoder.upsamples." + stage + ".upsamples.3.",
                   "decoder.up_blocks." + stage + ".upsampler.");
    name = Replace(name, "decoder.upsamples." + stage + ".upsamples.",
                   "decoder.up_blocks." + stage + ".resnets.");
  }
  return name;
}

// docs/reference/wan22.md 3.8: 194 names.
Names Vae21Names() {
  return VaeNames([](Names& names, const std::string& half) {
    const bool down = half == "encoder.";
    const std::string head = half + (down ? "downsamples." : "upsamples.");
    for (int layer = 0; layer < (down ? 11 : 15); ++layer) {
      const std::string name = head + std::to_string(layer);
      const bool resamples = down ? layer % 3 == 2 : layer % 4 == 3;
      if (!resamples) {
        AddResidual(names, name, down ? layer == 3 || layer == 6 : layer == 4);
        continue;
      }
      AddBoth(names, name + ".resample.1");
      if (down ? layer != 2 : layer != 11) AddBoth(names, name + ".time_conv");
    }
  });
}

// docs/reference/wan22.md 3.9.
std::string DiffusersVae21Name(std::string name) {
  name = DiffusersVaeCommon(name);
  name = Replace(name, "encoder.downsamples.", "encoder.down_blocks.");
  for (int layer = 14; layer >= 0; --layer) {
    const int stage = layer / 4;
    const std::string up =
        "decoder.up_blocks." + std::to_string(stage) +
        (layer % 4 == 3 ? ".upsamplers.0." : ".resnets." + std::to_string(layer % 4) + ".");
    name = Replace(name, "decoder.upsamples." + std::to_string(layer) + ".", up);
  }
  return name;
}

// docs/reference/wan22.md 4.5: 242 names.
Names Umt5Names() {
  Names names = {"token_embedding.weight", "norm.weight"};
  for (int layer = 0; layer < 24; ++layer) {
    for (const char* part : {"norm1", "attn.q", "attn.k", "attn.v", "attn.o", "norm2", "ffn.gate.0",
                             "ffn.fc1", "ffn.fc2", "pos_embedding.embedding"}) {
      names.push_back("blocks." + std::to_string(layer) + "." + part + ".weight");
    }
  }
  return names;
}

std::string HuggingFaceName(std::string name) {
  if (name == "token_embedding.weight") return "shared.weight";
  if (name == "norm.weight") return "encoder.final_layer_norm.weight";
  name = "encoder." + Replace(name, "blocks", "block");
  name = Replace(name, "norm1", "layer.0.layer_norm");
  name = Replace(name, "norm2", "layer.1.layer_norm");
  name = Replace(name, "pos_embedding.embedding", "layer.0.SelfAttention.relative_attention_bias");
  name = Replace(name, "attn.", "layer.0.SelfAttention.");
  name = Replace(name, "ffn.gate.0", "layer.1.DenseReluDense.wi_0");
  name = Replace(name, "ffn.fc1", "layer.1.DenseReluDense.wi_1");
  return Replace(name, "ffn.fc2", "layer.1.DenseReluDense.wo");
}

struct Table {
  const char* name;
  Names originals;
  size_t count;
  std::function<std::string(const std::string&)> to_other;
  WeightMap (*to_original)(const WeightMap&, const std::string&);
  Architecture architecture;
  const char* prefix;
};

std::vector<Table> Tables() {
  return {{"dit", DitNames(false), 825, DiffusersDitName, OriginalDitNames, Architecture::kDit,
           "model.diffusion_model."},
          {"dit with cameras", DitNames(true), 945, DiffusersDitName, OriginalDitNames,
           Architecture::kDit, "diffusion_model."},
          {"vae 2.2", Vae22Names(), 196, DiffusersVae22Name, OriginalVaeNames, Architecture::kVae22,
           "model."},
          {"vae 2.1", Vae21Names(), 194, DiffusersVae21Name, OriginalVaeNames, Architecture::kVae21,
           "first_stage_model."},
          {"umt5", Umt5Names(), 242, HuggingFaceName, OriginalUmt5Names, Architecture::kUmt5,
           "text_encoder."}};
}

void ExpectSameTensors(const WeightMap& found, const WeightMap& wanted, const std::string& what) {
  ASSERT_EQ(found.size(), wanted.size()) << what;
  for (const auto& [name, tensor] : wanted) {
    const auto place = found.find(name);
    ASSERT_NE(place, found.end()) << what << ": " << name;
    EXPECT_TRUE(place->second.is_same(tensor)) << what << ": " << name;
  }
}

// original -> other -> original is the identity; prefixes change nothing, originals stay.
TEST(WeightNames, EveryNamingLeadsToTheOriginal) {
  for (const Table& table : Tables()) {
    const WeightMap original = Numbered(table.originals);
    ASSERT_EQ(original.size(), table.count) << table.name;
    WeightMap other;
    WeightMap prefixed;
    for (const auto& [name, tensor] : original) {
      other[table.to_other(name)] = tensor;
      prefixed[table.prefix + name] = tensor;
    }
    ASSERT_EQ(other.size(), table.count) << table.name;
    size_t moved = 0;
    for (const auto& [name, tensor] : other) moved += original.contains(name) ? 0 : 1;
    EXPECT_GT(moved, table.count * 3 / 4) << table.name << ": the other naming differs";
    ExpectSameTensors(table.to_original(other, "file"), original, table.name);
    ExpectSameTensors(table.to_original(original, "file"), original, table.name);
    ExpectSameTensors(table.to_original(prefixed, "file"), original, table.name);
    for (const WeightMap& weights : {original, other, prefixed}) {
      EXPECT_EQ(DetectArchitecture(weights), table.architecture) << table.name;
      ExpectSameTensors(OriginalNames(weights, table.architecture), original, table.name);
    }
  }
}

// Numbers of layers are read from the names: one block a stage, three stages, as small models have.
TEST(WeightNames, VaeStagesOfAnySize) {
  struct Case {
    const char* from;
    const char* to;
  };
  const Case nested[] = {{"encoder.down_blocks.0.resnets.0.norm1.gamma",
                          "encoder.downsamples.0.downsamples.0.residual.0.gamma"},
                         {"encoder.down_blocks.0.downsampler.resample.1.bias",
                          "encoder.downsamples.0.downsamples.1.resample.1.bias"},
                         {"encoder.down_blocks.1.resnets.0.conv_shortcut.weight",
                          "encoder.downsamples.1.downsamples.0.shortcut.weight"},
                         {"decoder.up_blocks.0.resnets.1.conv2.weight",
                          "decoder.upsamples.0.upsamples.1.residual.6.weight"},
                         {"decoder.up_blocks.0.upsampler.time_conv.bias",
                          "decoder.upsamples.0.upsamples.2.time_conv.bias"}};
  const Case flat[] = {
      {"encoder.down_blocks.3.conv1.weight", "encoder.downsamples.3.residual.2.weight"},
      {"encoder.down_blocks.1.time_conv.bias", "encoder.downsamples.1.time_conv.bias"},
      {"decoder.up_blocks.0.resnets.1.norm2.gamma", "decoder.upsamples.1.residual.3.gamma"},
      {"decoder.up_blocks.0.upsamplers.0.resample.1.bias", "decoder.upsamples.2.resample.1.bias"},
      {"decoder.up_blocks.1.resnets.0.conv1.bias", "decoder.upsamples.3.residual.2.bias"},
      {"decoder.up_blocks.1.resnets.1.conv1.bias", "decoder.upsamples.4.residual.2.bias"},
      {"decoder.up_blocks.2.resnets.0.conv_shortcut.bias", "decoder.upsamples.5.shortcut.bias"}};
  for (const auto& table : {std::span<const Case>(nested), std::span<const Case>(flat)}) {
    WeightMap weights;
    for (const Case& line : table) weights[line.from] = at::zeros({1});
    const WeightMap original = OriginalVaeNames(weights);
    EXPECT_EQ(original.size(), table.size());
    for (const Case& line : table) EXPECT_TRUE(original.contains(line.to)) << line.from;
  }
}

// What trainers, pipelines and other programs put before every name, and into the middle.
TEST(WeightNames, PrefixesOfOtherPrograms) {
  for (const Table& table : Tables()) {
    const WeightMap original = Numbered(table.originals);
    for (const std::string prefix :
         {"module.", "_orig_mod.", "module._orig_mod.", "pipe.dit.", "_fsdp_wrapped_module.",
          "generator.", "net.", "dit.", "model.model.", "text_encoders.umt5xxl.transformer.",
          "first_stage_model.", "student.", "policy.video_model.backbone."}) {
      WeightMap prefixed;
      WeightMap other;
      for (const auto& [name, tensor] : original) {
        prefixed[prefix + name] = tensor;
        other[prefix + table.to_other(name)] = tensor;
      }
      for (const WeightMap& weights : {prefixed, other}) {
        EXPECT_EQ(DetectArchitecture(weights), table.architecture) << table.name << " " << prefix;
        ExpectSameTensors(table.to_original(weights, "file"), original, prefix + table.name);
      }
    }
  }
}

TEST(WeightNames, WrappersInTheMiddle) {
  WeightMap wrapped;
  const WeightMap original = Numbered(DitNames(true));
  for (const auto& [name, tensor] : original) {
    wrapped["_fsdp_wrapped_module." +
            Replace(Replace(name, "self_attn.", "self_attn._checkpoint_wrapped_module."), "blocks.",
                    "blocks._orig_mod.")] = tensor;
  }
  EXPECT_EQ(DetectArchitecture(wrapped), Architecture::kDit);
  ExpectSameTensors(OriginalDitNames(wrapped), original, "wrapped");
}

// The encoder of a whole T5, and what others keep in its file.
TEST(WeightNames, OfAUmt5FileTheEncoderIsTaken) {
  const WeightMap original = Numbered(Umt5Names());
  WeightMap whole;
  for (const auto& [name, tensor] : original) whole["model." + HuggingFaceName(name)] = tensor;
  for (const char* name :
       {"decoder.block.0.layer.1.EncDecAttention.k.weight", "decoder.embed_tokens.weight",
        "decoder.final_layer_norm.weight", "lm_head.weight", "spiece_model"}) {
    whole[std::string("model.") + name] = at::zeros({1});
  }
  EXPECT_EQ(DetectArchitecture(whole), Architecture::kUmt5);
  ExpectSameTensors(OriginalUmt5Names(whole), original, "whole");
}

TEST(WeightNames, ModelsOfAnAllInOneFile) {
  const auto add = [](WeightMap& all, const std::string& prefix, const Names& names) {
    for (const auto& [name, tensor] : Numbered(names)) all[prefix + name] = tensor;
  };
  WeightMap all;
  add(all, "model.diffusion_model.", DitNames(false));
  EXPECT_TRUE(ModelsIn(all).empty());
  add(all, "first_stage_model.", Vae21Names());
  add(all, "cond_stage_model.transformer.", Umt5Names());
  const std::map<std::string, Architecture> expected = {{"model", Architecture::kDit},
                                                        {"first_stage_model", Architecture::kVae21},
                                                        {"cond_stage_model", Architecture::kUmt5}};
  EXPECT_EQ(ModelsIn(all), expected);
  EXPECT_EQ(DetectArchitecture(all), Architecture::kUnknown);

  WeightMap pipeline;
  add(pipeline, "module.pipe.dit.", DitNames(false));
  add(pipeline, "module.pipe.vae.", Vae22Names());
  const std::map<std::string, Architecture> inside = {{"module.pipe.dit", Architecture::kDit},
                                                      {"module.pipe.vae", Architecture::kVae22}};
  EXPECT_EQ(ModelsIn(pipeline), inside);
  for (const Table& table : Tables()) {
    EXPECT_TRUE(ModelsIn(Numbered(table.originals)).empty()) << table.name;
  }
}

TEST(WeightNames, UnknownNamesStay) {
  for (const char* name : {"blocks.x.norm2.weight", "blocks.0.norm22.weight", "ema.decay",
                           "condition_embedder.image_embedder.ff.net.0.proj.weight", "model.",
                           "blocks.99999.norm2.weight", "encoder.down_blocks.0.attentions.0.x",
                           "decoder.up_blocks.7.upsampler.w"}) {
    const WeightMap weights = {{name, at::zeros({1})}};
    for (const auto& rename : {OriginalDitNames, OriginalUmt5Names}) {
      EXPECT_TRUE(rename(weights, "file").contains(name)) << name;
    }
    EXPECT_EQ(DetectArchitecture(weights), Architecture::kUnknown) << name;
  }
  const WeightMap lonely = {{"decoder.up_blocks.7.upsampler.w", at::zeros({1})}};
  EXPECT_TRUE(OriginalVaeNames(lonely).contains("decoder.up_blocks.7.upsampler.w"));
}

TEST(WeightNames, TwoNamesOfOneWeightAreRefused) {
  const at::Tensor weight = at::ones({2});
  ExpectThrowsWith<InputError>(
      [&] {
        OriginalDitNames(
            {{"blocks.3.norm2.weight", weight}, {"model.blocks.3.norm3.weight", weight}},
            "net.safetensors");
      },
      {"net.safetensors", "blocks.3.norm2.weight", "model.blocks.3.norm3.weight"});
  ExpectThrowsWith<InputError>(
      [&] {
        OriginalVaeNames({{"quant_conv.bias", weight}, {"conv1.bias", weight}});
      },
      {"quant_conv.bias", "conv1.bias", "twice"});
}

TEST(WeightNames, TiedTokenEmbeddings) {
  const at::Tensor table = at::arange(6, at::kFloat).reshape({3, 2});
  const WeightMap tied = {{"shared.weight", table}, {"encoder.embed_tokens.weight", table.clone()}};
  const WeightMap original = OriginalUmt5Names(tied);
  EXPECT_EQ(original.size(), 1u);
  EXPECT_TRUE(at::equal(original.at("token_embedding.weight"), table));
  const WeightMap alone = {{"text_encoder.encoder.embed_tokens.weight", table}};
  EXPECT_TRUE(OriginalUmt5Names(alone).contains("token_embedding.weight"));
  ExpectThrowsWith<InputError>(
      [&] {
        OriginalUmt5Names({{"shared.weight", table}, {"encoder.embed_tokens.weight", table + 1}});
      },
      {"encoder.embed_tokens.weight", "shared.weight", "token_embedding.weight"});
}

TEST(WeightNames, ArchitecturesHaveNames) {
  std::set<std::string> names;
  for (const Architecture architecture :
       {Architecture::kUnknown, Architecture::kDit, Architecture::kVae22, Architecture::kVae21,
        Architecture::kUmt5, Architecture::kPca}) {
    names.insert(ArchitectureName(architecture));
  }
  EXPECT_EQ(names.size(), 6u);
  EXPECT_EQ(DetectArchitecture({{"video.first.basis", at::zeros({1})}}), Architecture::kPca);
}

}  // namespace
}  // namespace aim
