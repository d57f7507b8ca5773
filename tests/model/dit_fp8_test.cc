#include "aim/model/dit_fp8.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "aim/kernels/scaled_product.h"
#include "support/relative_error.h"
#include "support/throws.h"

namespace aim {
namespace {

using ::testing::Contains;
using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RelativeError;

DitOptions Released() {
  DitOptions options;
  options.dim = 3072;
  options.ffn_dim = 14336;
  options.num_heads = 24;
  options.num_layers = 30;
  options.camera.mode = CameraMode::kPooledLatent;
  options.camera.projector = true;
  return options;
}

TEST(ScaledMatricesTest, OfTheReleasedNetwork) {
  const std::vector<std::string> names = ScaledMatrices(Released());
  EXPECT_EQ(names.size(), 28u * 9);
  for (const char* name : {"blocks.1.self_attn.q", "blocks.28.projector", "blocks.7.cross_attn.o",
                           "blocks.7.ffn.0", "blocks.7.ffn.2"}) {
    EXPECT_THAT(names, Contains(name));
  }
  for (const char* part : {"blocks.0.", "blocks.29.", "cross_attn.k", "cross_attn.v", "cam_encoder",
                           "embedding", "head"}) {
    EXPECT_THAT(names, Not(Contains(HasSubstr(part))));
  }
}

TEST(ScaledMatricesTest, RefusesSizesThatDoNotFit) {
  struct Row {
    const char* word;
    void (*change)(DitOptions&);
  };
  for (const Row& row : {Row{"dit.dim is 24", [](DitOptions& o) { o.dim = 24; }},
                         Row{"dit.ffn_dim is 40", [](DitOptions& o) { o.ffn_dim = 40; }},
                         Row{"dit.num_layers is 2", [](DitOptions& o) { o.num_layers = 2; }}}) {
    DitOptions options = Released();
    row.change(options);
    ExpectThrowsWith<ConfigError>([&] { ScaledMatrices(options); }, {row.word, "bf16"});
    EXPECT_TRUE(WhyNotScaled(options).has_value());
  }
  EXPECT_FALSE(WhyNotScaled(Released()).has_value());
}

class DitFp8Test : public ::testing::TestWithParam<Numerics> {
 protected:
  void SetUp() override {
    at::manual_seed(8);
    options_.dim = 64;
    options_.num_heads = 2;
    options_.ffn_dim = 128;
    options_.num_layers = 4;
    options_.camera.mode = CameraMode::kPooledLatent;
    options_.camera.features = 24;
    options_.camera.projector = true;
    for (const auto& [name, shape] : DitWeightShapes(options_))
      weights_[name] = at::randn(shape) / std::sqrt(static_cast<double>(shape.back()));
    latents_ = at::randn({1, options_.in_channels, 3, 4, 6});
    text_ = at::randn({1, 5, options_.text_dim});
    camera_ = at::randn({1, 3, 1, 24});
  }

  Dit Bf16() const {
    Dit dit(options_, weights_, at::kBFloat16, GetParam());
    CastWeights(dit);
    return dit;
  }

  at::Tensor Forward(const Dit& dit) const {
    const CanvasLayout layout{4, 6, {0, 1, 2}, {0, 1, 1}};
    return ForwardDit(dit, latents_, at::full({1}, 500.0f),
                      PrepareContext(dit, layout, text_, camera_));
  }

  DitOptions options_;
  WeightMap weights_;
  at::Tensor latents_, text_, camera_;
};

// Near what bfloat16 gives, and not the same.
TEST_P(DitFp8Test, ForwardIsNearThatOfBfloat16) {
  Dit dit = Bf16();
  const at::Tensor expected = Forward(dit);
  QuantiseWeights(dit);
  const at::Tensor got = Forward(dit);
  EXPECT_EQ(got.scalar_type(), at::kFloat);
  const double error =
      ((got - expected).square().mean().sqrt() / expected.square().mean().sqrt()).item<double>();
  EXPECT_LT(error, 0.03);
  EXPECT_GT(error, 0.001);
}

// The matrices that are listed, and no others, in whatever order they were quantised and cast.
TEST_P(DitFp8Test, QuantisesWhatIsListed) {
  Dit dit = Bf16();
  QuantiseWeights(dit);
  CastWeights(dit);
  const std::vector<std::string> scaled = ScaledMatrices(options_);
  for (const auto& [name, weight] : dit.NamedWeights()) {
    const bool is_listed = std::ranges::any_of(
        scaled, [&](const std::string& matrix) { return name == matrix + ".weight"; });
    EXPECT_EQ(weight.scalar_type() == at::kFloat8_e4m3fn, is_listed) << name;
  }
}

// What a file holds is used as it is.
TEST_P(DitFp8Test, AttachedScalesGiveTheSameBits) {
  Dit dit = Bf16();
  WeightMap stored = dit.NamedWeights(), scales;
  for (const std::string& matrix : ScaledMatrices(options_)) {
    const ScaledRows rows = QuantiseRows(stored.at(matrix + ".weight"));
    stored[matrix + ".weight"] = rows.values;
    scales[matrix + ".weight"] = rows.scale;
  }
  Dit attached(options_, stored, at::kBFloat16, GetParam());
  AttachScales(attached, scales);
  QuantiseWeights(dit);
  EXPECT_TRUE(at::equal(Forward(attached), Forward(dit)));
}

// A block alone is what all blocks are made of: the caches of steps run them so.
TEST_P(DitFp8Test, BlocksMayRunOneByOne) {
  Dit dit = Bf16();
  QuantiseWeights(dit);
  const CanvasLayout layout{4, 6, {0, 1, 2}, {0, 1, 1}};
  const DitContext context = PrepareContext(dit, layout, text_, camera_);
  DitState state = BeginForward(dit, latents_, at::full({1}, 500.0f), context);
  for (int i = 0; i < options_.num_layers; ++i)
    state.tokens = RunBlocks(dit, state, context, i, i + 1);
  EXPECT_LT(RelativeError(FinishForward(dit, state, context), Forward(dit)), 0.05);
}

INSTANTIATE_TEST_SUITE_P(Numerics, DitFp8Test,
                         ::testing::Values(Numerics::kAccurate, Numerics::kTrained),
                         [](const auto& row) { return ToWord(row.param); });

}  // namespace
}  // namespace aim
