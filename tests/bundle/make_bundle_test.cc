#include "aim/bundle/make_bundle.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/bundle/bundle.h"
#include "aim/tensor/safetensors.h"
#include "support/case_name.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

// The files of a small random model, to be spoiled.
struct Files {
  explicit Files(const fs::path& folder) {
    fs::copy(testing::DiffusersPipeline(), folder, fs::copy_options::recursive);
    dit = folder / "transformer/diffusion_pytorch_model.safetensors";
    vae = folder / "vae/diffusion_pytorch_model.safetensors";
    text = folder / "text_encoder/model.safetensors";
    tokenizer = folder / "tokenizer";
  }

  MakeBundleOptions Options() const {
    MakeBundleOptions options;
    options.dit = dit.string();
    options.vae = vae.string();
    options.text = text.string();
    options.tokenizer = tokenizer.string();
    options.num_heads = 2;
    return options;
  }

  // Writes a weight file again after `change`.
  static void Rewrite(const fs::path& file, const std::function<void(WeightMap&)>& change) {
    WeightMap weights;
    for (const auto& [name, weight] : ReadSafetensors(file)) weights[name] = weight.clone();
    change(weights);
    WriteSafetensors(file, weights);
  }

  fs::path dit, vae, text, tokenizer;
};

TEST(MakeBundle, StoresTheTypeThatIsAsked) {
  const testing::TemporaryFolder folder;
  const Files files(folder / "files");
  MakeBundleOptions options = files.Options();
  options.dtype = StorageDtype::kBf16;
  RunContext run({.out = folder / "bundle"});
  RunMakeBundle(options, run);
  for (const char* name : {"dit", "autoencoder", "text_encoder"}) {
    const WeightMap weights = ReadSafetensors(run.out() / (std::string(name) + ".safetensors"));
    for (const auto& [weight_name, weight] : weights)
      EXPECT_EQ(weight.scalar_type(), at::kBFloat16) << weight_name;
  }
  EXPECT_EQ(LoadBundle(run.out()).dit.weights.head.weight.scalar_type(), at::kFloat);
}

TEST(MakeBundle, AnEarlierBundleIsNotReplacedUnasked) {
  const testing::TemporaryFolder folder;
  const Files files(folder / "files");
  RunContext run({.out = folder / "bundle"});
  RunMakeBundle(files.Options(), run);
  RunContext again({.out = folder / "bundle"});
  testing::ExpectThrowsWith<ConfigError>([&] { RunMakeBundle(files.Options(), again); },
                                         {"bundle", "--overwrite"});
}

// What needs no tokenizer works without one; what does says so.
TEST(MakeBundle, APipelineMayLackItsTokenizer) {
  const testing::TemporaryFolder folder;
  fs::copy(testing::DiffusersPipeline(), folder / "pipeline", fs::copy_options::recursive);
  fs::remove_all(folder / "pipeline/tokenizer");
  MakeBundleOptions options;
  options.from_diffusers = (folder / "pipeline").string();
  RunContext run({.out = folder / "bundle"});
  EXPECT_THAT(RunMakeBundle(options, run)["notes"].dump(), ::testing::HasSubstr("no tokenizer"));
  const BundleConfig config = LoadBundleConfig(run.out());
  EXPECT_FALSE(LoadTextWeights(run.out(), config).empty());
  testing::ExpectThrowsWith<InputError>([&] { LoadTextEncoder(run.out(), config); },
                                        {"tokenizer", "missing"});
}

// Prompts as the model's training cleaned them: belongs to the bundle, as do the noise levels.
TEST(MakeBundle, CleaningAndNoiseLevelsAreTheModels) {
  const testing::TemporaryFolder folder;
  const Files files(folder / "files");
  std::ofstream(folder / "files/scheduler/scheduler_config.json")
      << R"({"_class_name":"FlowMatchEulerDiscreteScheduler","shift":5.0,"shift_terminal":0.02})";
  MakeBundleOptions options;
  options.from_diffusers = (folder / "files").string();
  const auto make = [&] {
    RunContext run({.out = folder / "bundle", .overwrite = true});
    RunMakeBundle(options, run);
    return LoadBundleConfig(run.out());
  };
  BundleConfig config = make();
  EXPECT_EQ(config.text.umt5.cleaning, PromptCleaning::kActionImages);
  EXPECT_EQ(config.diffusion.sampler, SamplerKind::kEuler);
  EXPECT_EQ(config.diffusion.sigma_grid, SigmaGrid::kDiffusers);
  EXPECT_EQ(config.diffusion.sigma_terminal, 0.02);
  // Without camera encoders it is the video model.
  Files::Rewrite(files.dit, [](WeightMap& weights) {
    std::erase_if(weights, [](const auto& entry) {
      return entry.first.find("cam_encoder") != std::string::npos ||
             entry.first.find("projector") != std::string::npos;
    });
  });
  config = make();
  EXPECT_EQ(config.text.umt5.cleaning, PromptCleaning::kWan);
}

// Each of the three files may hold several sets of weights.
TEST(MakeBundle, TheKeyOfEachPartIsItsOwn) {
  const testing::TemporaryFolder folder;
  const Files files(folder / "files");
  RunContext plain({.out = folder / "plain"});
  RunMakeBundle(files.Options(), plain);
  for (const fs::path& file : {files.dit, files.vae, files.text}) {
    Files::Rewrite(file, [](WeightMap& weights) {
      WeightMap both;
      for (const auto& [name, weight] : weights) {
        both["raw." + name] = weight + 1;
        both["ema." + name] = weight;
      }
      weights = both;
    });
  }
  MakeBundleOptions options = files.Options();
  options.key = options.vae_key = options.text_key = "ema";
  RunContext keyed({.out = folder / "keyed"});
  RunMakeBundle(options, keyed);
  for (const char* name : {"dit", "autoencoder", "text_encoder"}) {
    const std::string file = std::string(name) + ".safetensors";
    const WeightMap expected = ReadSafetensors(plain.out() / file);
    const WeightMap weights = ReadSafetensors(keyed.out() / file);
    ASSERT_EQ(weights.size(), expected.size()) << name;
    for (const auto& [weight_name, weight] : expected) {
      EXPECT_TRUE(at::equal(weights.at(weight_name), weight)) << name << " " << weight_name;
    }
  }
}

// Bundles that are older than these keys mean what they did.
TEST(MakeBundle, KeysThatCameLaterMayBeMissing) {
  const testing::TemporaryFolder folder;
  const Files files(folder / "files");
  RunContext run({.out = folder / "bundle"});
  RunMakeBundle(files.Options(), run);
  std::string text = ReadFile(run.out() / "model.toml");
  for (const std::string key : {"sigma_spacing", "sigma_terminal", "cleaning"}) {
    const size_t begin = text.find("\n" + key + " = ");
    ASSERT_NE(begin, std::string::npos) << key;
    text.erase(begin, text.find('\n', begin + 1) - begin);
  }
  std::ofstream(run.out() / "model.toml") << text;
  const BundleConfig config = LoadBundleConfig(run.out());
  EXPECT_EQ(config.text.umt5.cleaning, PromptCleaning::kActionImages);
  EXPECT_EQ(config.diffusion.sigma_spacing, SigmaSpacing::kShifted);
}

struct BadCase {
  const char* name;
  std::function<void(Files&, MakeBundleOptions&)> spoil;
  std::vector<std::string> words;
};

class BadBundle : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadBundle, IsRefusedInOneSentenceAndLeavesNothing) {
  const testing::TemporaryFolder folder;
  Files files(folder / "files");
  MakeBundleOptions options = files.Options();
  GetParam().spoil(files, options);
  RunContext run({.out = folder / "bundle"});
  try {
    RunMakeBundle(options, run);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_FALSE(dynamic_cast<const IoError*>(&error)) << "exit code 1 for bad input";
    for (const std::string& word : GetParam().words)
      EXPECT_THAT(error.what(), ::testing::HasSubstr(word));
  }
  EXPECT_FALSE(fs::exists(run.out() / "model.toml"));
}

void Truncate(const fs::path& file) { fs::resize_file(file, fs::file_size(file) - 100); }

INSTANTIATE_TEST_SUITE_P(
    Inputs, BadBundle,
    ::testing::Values(BadCase{"APartIsMissing",
                              [](Files&, MakeBundleOptions& o) { o.vae.clear(); },
                              {"--vae", "--from-diffusers"}},
                      BadCase{"BothWays",
                              [](Files&, MakeBundleOptions& o) {
                                o.from_diffusers = testing::DiffusersPipeline().string();
                              },
                              {"--from-diffusers"}},
                      BadCase{"TypeOfALink",
                              [](Files&, MakeBundleOptions& o) {
                                o.link = true;
                                o.dtype = StorageDtype::kBf16;
                              },
                              {"--dtype", "--link"}},
                      BadCase{"KeyOfALink",
                              [](Files&, MakeBundleOptions& o) {
                                o.link = true;
                                o.key = "ema";
                              },
                              {"--key", "aim-model convert"}},
                      BadCase{"KeyThatIsNotThere",
                              [](Files&, MakeBundleOptions& o) { o.key = "ema"; },
                              {"diffusion_pytorch_model.safetensors", "under the key \"ema\""}},
                      BadCase{"KeyOfTheTextThatIsNotThere",
                              [](Files&, MakeBundleOptions& o) { o.text_key = "ema"; },
                              {"text_encoder", "under the key \"ema\""}},
                      BadCase{"KeyOfAPipeline",
                              [](Files&, MakeBundleOptions& o) {
                                o = {};
                                o.from_diffusers = testing::DiffusersPipeline().string();
                                o.vae_key = "ema";
                              },
                              {"--vae-key", "--from-diffusers"}},
                      BadCase{"NoSuchFile",
                              [](Files& f, MakeBundleOptions&) { fs::remove(f.dit); },
                              {"diffusion_pytorch_model.safetensors", "missing"}},
                      BadCase{"AnotherArchitecture",
                              [](Files& f, MakeBundleOptions& o) { o.dit = f.text.string(); },
                              {"model.safetensors", "patch_embedding.weight", "missing"}},
                      BadCase{"Truncated",
                              [](Files& f, MakeBundleOptions&) { Truncate(f.vae); },
                              {"diffusion_pytorch_model.safetensors"}},
                      BadCase{"EveryMissingWeight",
                              [](Files& f, MakeBundleOptions&) {
                                Files::Rewrite(f.dit, [](WeightMap& w) {
                                  w.erase("blocks.1.attn1.to_q.weight");
                                  w.erase("blocks.1.attn1.to_k.bias");
                                });
                              },
                              {"missing 2", "blocks.1.self_attn.q.weight",
                               "blocks.1.self_attn.k.bias"}},
                      BadCase{"NaN",
                              [](Files& f, MakeBundleOptions&) {
                                Files::Rewrite(f.text, [](WeightMap& w) {
                                  w.at("encoder.final_layer_norm.weight")[0] = NAN;
                                  w.at("shared.weight")[0][0] = INFINITY;
                                });
                              },
                              {"NaN", "norm.weight", "token_embedding.weight"}},
                      BadCase{"NoTokenizer",
                              [](Files& f, MakeBundleOptions&) { fs::remove_all(f.tokenizer); },
                              {"tokenizer", "missing"}},
                      BadCase{"SizeThatDoesNotFit",
                              [](Files&, MakeBundleOptions& o) { o.image_height = 100; },
                              {"image_height", "multiple of 32"}},
                      BadCase{"HeadsThatDoNotDivide",
                              [](Files&, MakeBundleOptions& o) { o.num_heads = 7; },
                              {"num_heads", "divisor"}}),
    testing::CaseName());

}  // namespace
}  // namespace aim
