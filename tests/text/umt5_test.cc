#include "aim/text/umt5.h"

#include <ATen/ATen.h>
#include <c10/util/accumulate.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "aim/base/error.h"
#include "aim/tensor/safetensors.h"
#include "aim/text/prompt_cleaning.h"
#include "support/relative_error.h"
#include "support/source_dir.h"
#include "support/throws.h"
#include "support/tolerance.h"

namespace aim {
namespace {

using testing::RelativeError;

using ::aim::testing::ExpectThrowsWith;

std::string Umt5Fixture(const std::string& ending) {
  return testing::SourceDir().string() + "/tests/data/text_fixture" + ending;
}

// UMT5EncoderModel of transformers 5 with random weights; scripts/make_text_fixture.py. Heads are
// narrower than the residual stream, one of the two texts has padding, and both are longer than
// the largest distance.
class Umt5Parity : public ::testing::Test {
 protected:
  void SetUp() override {
    const SafetensorsFile file = OpenSafetensors(Umt5Fixture(".safetensors"));
    const auto config = nlohmann::json::parse(file.metadata.at("config"));
    options_ = {.vocab_size = config.at("vocab_size"),
                .dim = config.at("d_model"),
                .head_dim = config.at("d_kv"),
                .num_heads = config.at("num_heads"),
                .ffn_dim = config.at("d_ff"),
                .num_layers = config.at("num_layers"),
                .num_buckets = config.at("relative_attention_num_buckets"),
                .max_distance = config.at("relative_attention_max_distance"),
                .eps = config.at("layer_norm_epsilon")};
    for (const auto& [name, tensor] : file.tensors) {
      if (name.rfind("weights/", 0) == 0) weights_[name.substr(8)] = tensor.clone();
    }
    token_ids_ = file.tensors.at("token_ids").clone();
    features_ = file.tensors.at("features").clone();
    features_bf16_ = file.tensors.at("features_bf16").clone();
  }

  Umt5Options options_;
  WeightMap weights_;
  at::Tensor token_ids_;
  at::Tensor features_;
  at::Tensor features_bf16_;
};

TEST_F(Umt5Parity, BatchWithPadding) {
  CheckWeights(weights_, Umt5WeightShapes(options_), "fixture");
  const at::Tensor features = Umt5Forward(options_, weights_, token_ids_);
  EXPECT_LE(RelativeError(features, features_), 1e-5);
  EXPECT_EQ(features[1].narrow(0, 12, 28).abs().max().item<float>(), 0.0f);
}

// Rounded where the reference rounds: nearer to its bfloat16 result than that is to float32.
TEST_F(Umt5Parity, Bfloat16) {
  const WeightMap half = ConvertWeights(weights_, at::kBFloat16);
  const at::Tensor features = Umt5Forward(options_, half, token_ids_);
  ASSERT_EQ(features.scalar_type(), at::kBFloat16);
  const double error = RelativeError(features.to(at::kFloat), features_bf16_.to(at::kFloat));
  EXPECT_LE(error, testing::TensorTolerance(testing::Device::kCpu, testing::Precision::kBfloat16));
  EXPECT_LT(error, RelativeError(features_bf16_.to(at::kFloat), features_));
}

// What stands behind a text's end changes nothing: neither length nor company of a text matters.
TEST_F(Umt5Parity, OnlyTheTokensThereAreCount) {
  const at::Tensor alone =
      Umt5Forward(options_, weights_, token_ids_.narrow(0, 1, 1).narrow(1, 0, 12));
  EXPECT_LE(RelativeError(alone[0], features_[1].narrow(0, 0, 12)), 1e-5);
}

// The id 0 may be a token: "<pad>" typed in a prompt.
TEST_F(Umt5Parity, MaskDecidesNotTheId) {
  const at::Tensor ids = at::tensor({5, 0, 7}, at::kLong).unsqueeze(0);
  const at::Tensor all = Umt5Forward(options_, weights_, ids, at::ones_like(ids, at::kBool));
  const at::Tensor some = Umt5Forward(options_, weights_, ids);
  EXPECT_GT(all[0][1].abs().max().item<float>(), 0.0f);
  EXPECT_GT((all[0][0] - some[0][0]).abs().max().item<float>(), 1e-3f);
}

TEST_F(Umt5Parity, WrongInputsAreNamed) {
  const auto forward = [&](const at::Tensor& ids) { Umt5Forward(options_, weights_, ids); };
  ExpectThrowsWith<InputError>([&] { forward(at::zeros({3}, at::kLong)); }, {"token_ids", "[3]"});
  ExpectThrowsWith<InputError>([&] { forward(at::zeros({1, 3})); }, {"token_ids", "float32"});
  ExpectThrowsWith<InputError>(
      [&] {
        forward(at::full({1, 3}, 40, at::kLong));
      },
      {"token_ids", "40", "0 to 39"});
  ExpectThrowsWith<InputError>([&] { forward(at::full({1, 3}, -1, at::kLong)); }, {"-1"});
}

// docs/reference/wan22.md appendix B.3: the official module at tiny width, weights by formula.
TEST(Umt5Golden, OfficialModule) {
  const Umt5Options options = {
      .vocab_size = 40, .dim = 16, .head_dim = 4, .num_heads = 4, .ffn_dim = 24, .num_layers = 2};
  WeightMap weights;
  double k = 1;
  for (const auto& [name, shape] : Umt5WeightShapes(options)) {
    const int64_t count = c10::multiply_integers(shape);
    const at::Tensor base = at::sin(0.3 * at::arange(count, at::kDouble) + 0.7 * k++);
    at::Tensor values;
    if (name.find("norm") != name.npos) {
      values = 1 + 0.1 * base;
    } else if (name.find("embedding") != name.npos) {
      values = base;
    } else {
      values = base / std::sqrt(static_cast<double>(count / shape[0]));
    }
    weights[name] = values.to(at::kFloat).reshape(shape);
  }
  at::Tensor ids = at::zeros({1, 20}, at::kLong);
  ids[0].narrow(0, 0, 6).copy_(at::tensor({5, 7, 9, 11, 13, 1}, at::kLong));
  const at::Tensor features = Umt5Forward(options, weights, ids)[0].narrow(0, 0, 6).reshape(-1);

  EXPECT_NEAR(features.sum().item<double>(), -11.4275807, 1e-4);
  EXPECT_NEAR(features.abs().sum().item<double>(), 77.2214995, 1e-4);
  const auto expect_values = [&](int64_t begin, const std::vector<double>& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(features[begin + static_cast<int64_t>(i)].item<double>(), values[i], 2e-5);
    }
  };
  expect_values(0, {0.1831241, 0.311658, 1.134445, 1.691352});
  expect_values(48, {-2.061623, -0.4807649, 0.6324733});
  expect_values(93, {-1.931991, -0.956822, 0.08865131});
}

// docs/reference/wan22.md 4.3.
TEST(PositionBucket, HasTheThresholdsOfTheRelease) {
  const Umt5Options options;
  const std::vector<int64_t> thresholds = {8, 12, 16, 23, 32, 46, 64, 91};
  for (int64_t distance = 0; distance < 1000; ++distance) {
    int64_t expected = std::min<int64_t>(distance, 7);
    for (const int64_t threshold : thresholds) expected += distance >= threshold ? 1 : 0;
    EXPECT_EQ(PositionBucket(-distance, options), expected) << "distance " << -distance;
    EXPECT_EQ(PositionBucket(distance, options), expected + (distance > 0 ? 16 : 0));
  }
  EXPECT_EQ(PositionBucket(1, options), 17);
  EXPECT_EQ(PositionBucket(8, options), 24);
  EXPECT_EQ(PositionBucket(200, options), 31);
}

TEST(Umt5Options, ReleasedModelHasItsTensorsAndParameters) {
  const ShapeMap shapes = Umt5WeightShapes({});
  int64_t parameters = 0;
  for (const auto& [name, shape] : shapes) parameters += c10::multiply_integers(shape);
  EXPECT_EQ(shapes.size(), 242U);
  EXPECT_EQ(parameters, 5680910336);
}

TEST(Umt5Options, WrongValuesAreNamed) {
  ExpectThrowsWith<ConfigError>([] { Umt5Options{.num_heads = 0}.Validate(); },
                                {"text.num_heads", "0"});
  ExpectThrowsWith<ConfigError>([] { Umt5Options{.num_buckets = 31}.Validate(); },
                                {"text.num_buckets", "even"});
  ExpectThrowsWith<ConfigError>([] { Umt5Options{.max_distance = 8}.Validate(); },
                                {"text.max_distance", "8"});
}

// The fixture's tokenizer has more ids than the fixture's encoder, so this one is made here.
class Umt5EncoderTest : public ::testing::Test {
 protected:
  Umt5EncoderTest() {
    int64_t k = 0;
    for (const auto& [name, shape] : Umt5WeightShapes(options_)) {
      const int64_t count = c10::multiply_integers(shape);
      weights_[name] =
          at::sin(0.3 * at::arange(count, at::kFloat) + static_cast<double>(++k)).reshape(shape);
    }
  }

  Umt5Encoder::Loader CountingLoader() {
    return [this] {
      ++loads_;
      return weights_;
    };
  }

  Umt5Options options_{
      .vocab_size = 414, .dim = 8, .head_dim = 4, .num_heads = 2, .ffn_dim = 12, .num_layers = 1};
  WeightMap weights_;
  int loads_ = 0;
  Tokenizer tokenizer_ = Tokenizer::Open(Umt5Fixture("_tokenizer.json"));
};

TEST_F(Umt5EncoderTest, RowsAreThoseOfTheTokensAndThenZeros) {
  const Umt5Encoder encoder(options_, CountingLoader(), tokenizer_, 32);
  const std::string prompt = "pick up the red block";
  const at::Tensor rows = encoder.Encode(prompt);
  ASSERT_EQ(rows.sizes(), (std::vector<int64_t>{32, 8}));
  const std::vector<int64_t> ids = encoder.TokenIds(prompt);
  EXPECT_EQ(ids, tokenizer_.Encode(prompt, 32));
  at::Tensor padded = at::zeros({1, 32}, at::kLong);
  const auto count = static_cast<int64_t>(ids.size());
  padded[0].narrow(0, 0, count).copy_(at::tensor(ids, at::kLong));
  EXPECT_LE(RelativeError(rows, encoder.Features(padded)[0]), 1e-5);
  EXPECT_EQ(rows.narrow(0, count, 32 - count).abs().max().item<float>(), 0.0f);
}

TEST_F(Umt5EncoderTest, EmptyPromptIsTheEndTokenAlone) {
  const Umt5Encoder encoder(options_, weights_, tokenizer_);
  EXPECT_EQ(encoder.TokenIds(""), (std::vector<int64_t>{1}));
  const at::Tensor rows = encoder.Encode("");
  EXPECT_EQ(rows.size(0), 512);
  EXPECT_GT(rows[0].abs().max().item<float>(), 0.0f);
  EXPECT_EQ(rows.narrow(0, 1, 511).abs().max().item<float>(), 0.0f);
}

// As in training: "." goes and "_" becomes a space, then ftfy and white space.
TEST_F(Umt5EncoderTest, PromptsAreCleanedAsInTraining) {
  const Umt5Encoder encoder(options_, weights_, tokenizer_);
  EXPECT_EQ(encoder.TokenIds("push_the_button."), encoder.TokenIds("push the button"));
  EXPECT_EQ(encoder.TokenIds("  push &amp;  ｔｈｅ\n“button”"),
            encoder.TokenIds("push & the \"button\""));
}

// Wan's pipeline keeps points and underscores.
TEST_F(Umt5EncoderTest, CleaningBelongsToTheModel) {
  const Umt5Encoder ours(options_, weights_, tokenizer_);
  Umt5Options options = options_;
  options.cleaning = PromptCleaning::kWan;
  const Umt5Encoder wan(options, weights_, tokenizer_);
  const std::string prompt = "push_the_button.  Then &amp; lift.";
  EXPECT_EQ(wan.TokenIds(prompt), tokenizer_.Encode("push_the_button. Then & lift.", 512));
  EXPECT_EQ(ours.TokenIds(prompt), tokenizer_.Encode("push the button Then & lift", 512));
  EXPECT_NE(wan.TokenIds(prompt), ours.TokenIds(prompt));
}

TEST_F(Umt5EncoderTest, LongPromptsLoseTheirEndButNotTheEndToken) {
  const Umt5Encoder encoder(options_, weights_, tokenizer_, 6);
  const std::vector<int64_t> ids = encoder.TokenIds("push the blue button and close the drawer");
  ASSERT_EQ(ids.size(), 6U);
  EXPECT_EQ(ids.back(), 1);
}

TEST_F(Umt5EncoderTest, LoadsAtTheFirstPromptAndAfterEveryRelease) {
  const Umt5Encoder encoder(options_, CountingLoader(), tokenizer_, 16);
  EXPECT_EQ(loads_, 0);
  const at::Tensor rows = encoder.Encode("a");
  encoder.Encode("b");
  EXPECT_EQ(loads_, 1);
  encoder.ReleaseWeights();
  encoder.ReleaseWeights();
  EXPECT_TRUE(encoder.Encode("a").equal(rows));
  EXPECT_EQ(loads_, 2);
}

TEST_F(Umt5EncoderTest, ReleaseWhileOthersEncodeIsSafe) {
  const Umt5Encoder encoder(options_, weights_, tokenizer_, 16);
  const at::Tensor expected = encoder.Encode("red block");
  std::vector<std::thread> threads;
  std::vector<int> agree(3, 0);
  for (size_t i = 0; i < agree.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 10; ++round) {
        agree[i] += encoder.Encode("red block").equal(expected) ? 1 : 0;
        encoder.ReleaseWeights();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(agree, ::testing::Each(10));
}

TEST_F(Umt5EncoderTest, WrongWeightsAndTokenizersAreNamed) {
  WeightMap incomplete = weights_;
  incomplete.erase("norm.weight");
  incomplete["blocks.0.norm1.weight"] = at::zeros({7});
  const Umt5Encoder encoder(options_, incomplete, tokenizer_);
  ExpectThrowsWith<InputError>([&] { encoder.Encode("a"); },
                               {"text encoder", "norm.weight", "blocks.0.norm1.weight"});
  Umt5Options small = options_;
  small.vocab_size = 400;
  ExpectThrowsWith<ConfigError>([&] { Umt5Encoder(small, weights_, tokenizer_); },
                                {"414 ids", "400"});
}

}  // namespace
}  // namespace aim
