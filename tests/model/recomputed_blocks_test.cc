#include "aim/model/recomputed_blocks.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <string>

#include "aim/base/error.h"
#include "aim/model/lora.h"
#include "support/tensor_bytes.h"
#include "support/throws.h"

namespace aim {
namespace {

struct Case {
  std::string name = {};
  CameraMode camera = CameraMode::kNone;
  at::ScalarType dtype = at::kFloat;
  Numerics numerics = Numerics::kAccurate;
  int lora_rank = 0;
  std::string trained = {};  // a part of the names; empty = all
};

DitOptions SmallDit(const Case& of) {
  DitOptions options;
  options.in_channels = options.out_channels = 4;
  options.dim = 32;
  options.ffn_dim = 64;
  options.num_heads = 2;
  options.num_layers = 4;
  options.freq_dim = 8;
  options.text_dim = 5;
  options.segment_embeddings = 2;
  options.camera.mode = of.camera;
  options.camera.projector = of.camera == CameraMode::kPooledLatent;
  options.camera.features = 6;
  return options;
}

// A network with leaves to take gradients of, and something to run it on.
class Training {
 public:
  explicit Training(const Case& of) {
    at::manual_seed(3);
    const DitOptions options = SmallDit(of);
    WeightMap weights = InitialDitWeights(options, Rng(1));
    for (auto& [name, weight] : weights) {
      const at::Tensor moved = weight + 0.1 * at::randn_like(weight);
      weight = moved.to(DitWeightDtype(name, of.dtype, of.numerics));
      if (of.lora_rank == 0 && name.find(of.trained) != std::string::npos) Take(name, weight);
    }
    dit = Dit(options, weights, of.dtype, of.numerics);
    if (of.lora_rank > 0) {
      Lora lora = InitialLora(options, {.rank = of.lora_rank, .targets = {"blocks"}}, Rng(5));
      for (auto& [name, weight] : lora.weights) {
        weight = weight + 0.3 * at::randn_like(weight);
        Take(name, weight);
      }
      AttachLora(dit, lora);
    }
    const int64_t features = options.camera.features;
    inputs.latents = at::randn({2, 4, 3, 4, 6});
    inputs.timestep = at::tensor({0.0f, 400.0f, 400.0f}).repeat({2, 1});
    inputs.text = at::randn({2, 3, 5});
    if (of.camera != CameraMode::kNone)
      inputs.camera = at::randn({2, 3, of.camera == CameraMode::kRayToken ? 6 : 1, features});
  }

  at::Tensor Kept() const {
    const DitContext context = PrepareContext(dit, layout, inputs.text, inputs.camera);
    return ForwardDit(dit, inputs.latents, inputs.timestep, context);
  }
  at::Tensor Recomputed() const { return ForwardRecomputed(dit, layout, inputs); }

  std::vector<at::Tensor> Gradients(const at::Tensor& out) const {
    return torch::autograd::grad({out.square().sum()}, leaves, {}, false, false, true);
  }

  Dit dit;
  DitInputs inputs;
  CanvasLayout layout{4, 6, {0, 1, 2}, {0, 0, 1}};
  std::vector<at::Tensor> leaves;
  std::vector<std::string> names;

 private:
  void Take(const std::string& name, at::Tensor& weight) {
    weight = weight.detach().requires_grad_(true);
    leaves.push_back(weight);
    names.push_back(name);
  }
};

class RecomputedBlocks : public ::testing::TestWithParam<Case> {};

TEST_P(RecomputedBlocks, OutputAndGradientsHaveTheSameBits) {
  const Training training(GetParam());
  const at::Tensor kept = training.Kept(), recomputed = training.Recomputed();
  EXPECT_TRUE(at::equal(kept, recomputed));
  const std::vector<at::Tensor> expected = training.Gradients(kept);
  const std::vector<at::Tensor> found = training.Gradients(recomputed);
  ASSERT_FALSE(expected.empty());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_TRUE(expected[i].defined() && found[i].defined()) << training.names[i];
    EXPECT_TRUE(at::equal(expected[i], found[i])) << training.names[i];
    EXPECT_TRUE(expected[i].any().item<bool>()) << training.names[i];
  }
}

using enum CameraMode;
void PrintTo(const Case& of, std::ostream* out) { *out << of.name; }

INSTANTIATE_TEST_SUITE_P(
    Networks, RecomputedBlocks,
    ::testing::Values(Case{.name = "plain"},
                      Case{.name = "a_vector_a_frame", .camera = kPooledLatent},
                      Case{.name = "a_ray_a_token", .camera = kRayToken},
                      Case{.name = "bf16", .camera = kRayToken, .dtype = at::kBFloat16},
                      Case{.name = "trained_numerics",
                           .camera = kPooledLatent,
                           .dtype = at::kBFloat16,
                           .numerics = Numerics::kTrained},
                      Case{.name = "an_adapter", .camera = kRayToken, .lora_rank = 2},
                      Case{.name = "a_late_block", .camera = kRayToken, .trained = "blocks.2."}),
    [](const auto& of) { return of.param.name; });

// What stays between forward and backward: a tensor [B, N, dim] a block, and the graph's ends.
TEST(RecomputedBlocks, KeepsAnInputABlock) {
  const Training training({.camera = kRayToken});
  const int64_t one = 2 * 18 * 32 * 4;  // bytes of [B, N, dim]
  const auto kept_by = [&](const auto& forward) {
    const testing::TensorBytes bytes;
    const at::Tensor out = forward();
    return bytes.now();
  };
  const int64_t kept = kept_by([&] { return training.Kept(); });
  const int64_t recomputed = kept_by([&] { return training.Recomputed(); });
  EXPECT_GT(kept, 4 * 20 * one);
  EXPECT_LT(recomputed, 4 * 3 * one);
}

TEST(RecomputedBlocks, CamerasOfAnotherShapeAreNamed) {
  Training training({.camera = kRayToken});
  training.inputs.camera = at::zeros({2, 3, 1, 6});
  testing::ExpectThrowsWith<InputError>([&] { training.Recomputed(); }, {"camera", "[2, 3, 1, 6]"});
}

}  // namespace
}  // namespace aim
