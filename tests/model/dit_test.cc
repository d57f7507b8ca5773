#include "aim/model/dit.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "aim/base/error.h"
#include "aim/tensor/safetensors.h"
#include "model/dit_embedding.h"
#include "support/relative_error.h"
#include "support/source_dir.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::RelativeError;

// Diffusers' WanTransformer3DModel with random weights, and the same with the released camera
// conditioning in PyTorch; scripts/make_dit_fixture.py.
class DitParity : public ::testing::Test {
 protected:
  void SetUp() override {
    const SafetensorsFile file =
        OpenSafetensors(testing::SourceDir().string() + "/tests/data/dit_fixture.safetensors");
    tensors_ = file.tensors;
    DitOptions options;
    ApplyOptions(options, nlohmann::json::parse(file.metadata.at("config")), "fixture");
    WeightMap weights;
    for (const auto& [name, tensor] : tensors_) {
      if (name.rfind("weights/", 0) == 0) weights[name.substr(8)] = tensor;
    }
    dit_ = Dit(options, weights);
    layout_ = {4, 6, {0, 1, 2}, {0, 0, 0}};
  }

  void UseCamera(CameraMode mode, bool projector) {
    WeightMap weights = dit_.NamedWeights();
    std::erase_if(weights, [&](const auto& weight) {
      return !projector && weight.first.find("projector") != std::string::npos;
    });
    for (const auto& [name, tensor] : tensors_) {
      if (name.rfind("camera_weights/", 0) != 0) continue;
      if (projector || name.find("projector") == std::string::npos)
        weights[name.substr(15)] = tensor;
    }
    DitOptions options = dit_.options;
    options.camera.mode = mode;
    options.camera.projector = projector;
    dit_ = Dit(options, weights);
  }

  at::Tensor Forward(const std::string& timestep, const std::string& camera = "") const {
    const at::Tensor camera_vectors =
        camera.empty() ? at::Tensor() : tensors_.at("inputs/" + camera);
    const DitContext context =
        PrepareContext(dit_, layout_, tensors_.at("inputs/text"), camera_vectors);
    return ForwardDit(dit_, tensors_.at("inputs/latents"), tensors_.at("inputs/" + timestep),
                      context);
  }

  Dit dit_;
  WeightMap tensors_;
  CanvasLayout layout_;
};

TEST_F(DitParity, OneTimestepForAllTokens) {
  EXPECT_LE(RelativeError(Forward("timestep"), tensors_.at("expected/scalar")), 1e-5);
  EXPECT_LE(RelativeError(Forward("timestep_late"), tensors_.at("expected/late")), 1e-5);
}

TEST_F(DitParity, OneTimestepAToken) {
  EXPECT_LE(RelativeError(Forward("timestep_tokens"), tensors_.at("expected/tokens")), 1e-5);
}

TEST_F(DitParity, CameraVectorAFrame) {
  UseCamera(CameraMode::kPooledLatent, true);
  EXPECT_LE(
      RelativeError(Forward("timestep", "camera_pooled"), tensors_.at("expected/camera_pooled")),
      1e-5);
}

TEST_F(DitParity, CameraVectorAToken) {
  UseCamera(CameraMode::kRayToken, false);
  EXPECT_LE(RelativeError(Forward("timestep_tokens", "camera_tokens"),
                          tensors_.at("expected/camera_tokens")),
            1e-5);
}

TEST_F(DitParity, WeightsAreThoseTheOptionsAskFor) {
  UseCamera(CameraMode::kRayToken, true);
  const auto shapes = DitWeightShapes(dit_.options);
  const WeightMap weights = dit_.NamedWeights();
  ASSERT_EQ(shapes.size(), weights.size());
  for (const auto& [name, shape] : shapes)
    EXPECT_EQ(weights.at(name).sizes(), at::IntArrayRef(shape)) << name;
}

TEST_F(DitParity, TimestepPerFrameEqualsTimestepPerToken) {
  const at::Tensor frames = at::tensor({0.0f, 300.0f, 900.0f}).repeat({2, 1});
  const DitContext context = PrepareContext(dit_, layout_, tensors_.at("inputs/text"), {});
  const at::Tensor by_frame = ForwardDit(dit_, tensors_.at("inputs/latents"), frames, context);
  const at::Tensor by_token =
      ForwardDit(dit_, tensors_.at("inputs/latents"), frames.repeat_interleave(6, 1), context);
  EXPECT_LE(RelativeError(by_frame, by_token), 1e-6);
}

TEST_F(DitParity, TimestepASampleNeedsNoGroups) {
  const at::Tensor one_each = tensors_.at("inputs/timestep");
  tensors_["inputs/flat"] = one_each.squeeze(1);
  tensors_["inputs/spread"] = one_each.expand({2, 18});
  EXPECT_TRUE(Forward("flat").equal(Forward("timestep")));
  EXPECT_LE(RelativeError(Forward("spread"), Forward("timestep")), 1e-6);
}

TEST_F(DitParity, BlocksInPartsEqualTheWholePass) {
  UseCamera(CameraMode::kPooledLatent, true);
  const at::Tensor& latents = tensors_.at("inputs/latents");
  const at::Tensor& timestep = tensors_.at("inputs/timestep_tokens");
  const DitContext context = PrepareContext(dit_, layout_, tensors_.at("inputs/text"),
                                            tensors_.at("inputs/camera_pooled"));
  DitState state = BeginForward(dit_, latents, timestep, context);
  state.tokens = RunBlocks(dit_, state, context, 0, 1);
  state.tokens = RunBlocks(dit_, state, context, 1, dit_.options.num_layers);
  EXPECT_TRUE(
      FinishForward(dit_, state, context).equal(ForwardDit(dit_, latents, timestep, context)));
}

// Guidance: a second text shares the cameras, and both branches fit into one batch.
TEST_F(DitParity, TwoTextsUnderTheSameCameras) {
  UseCamera(CameraMode::kPooledLatent, true);
  const at::Tensor& latents = tensors_.at("inputs/latents");
  const at::Tensor& timestep = tensors_.at("inputs/timestep");
  const at::Tensor& text = tensors_.at("inputs/text");
  const at::Tensor& camera = tensors_.at("inputs/camera_pooled");
  const at::Tensor null_text = text * -0.5;
  const DitContext context = PrepareContext(dit_, layout_, text, camera);
  const DitContext other = WithText(dit_, context, null_text);
  const at::Tensor expected =
      ForwardDit(dit_, latents, timestep, PrepareContext(dit_, layout_, null_text, camera));
  EXPECT_TRUE(ForwardDit(dit_, latents, timestep, other).equal(expected));

  const at::Tensor both = ForwardDit(dit_, latents.repeat({2, 1, 1, 1, 1}), timestep.repeat({2, 1}),
                                     JoinContexts(context, other));
  EXPECT_LE(RelativeError(both.narrow(0, 0, 2), ForwardDit(dit_, latents, timestep, context)),
            1e-6);
  EXPECT_LE(RelativeError(both.narrow(0, 2, 2), expected), 1e-6);
}

// In float32 nothing is rounded away, so both numerics are one function.
// Rows of zeros behind every prompt of a batch are attended as one: the same result, fewer keys.
TEST_F(DitParity, PaddingIsAttendedAsOne) {
  const at::Tensor text = at::constant_pad_nd(tensors_.at("inputs/text"), {0, 0, 0, 40});
  text[0].narrow(0, 3, text.size(1) - 3).zero_();
  const auto forward = [&](const DitContext& context) {
    return ForwardDit(dit_, tensors_.at("inputs/latents"), tensors_.at("inputs/timestep"), context);
  };
  const DitContext all_keys = PrepareContext(dit_, layout_, text, {});
  const at::Tensor expected = forward(all_keys);
  ASSERT_EQ(all_keys.text_key[0].size(2), text.size(1));

  const c10::InferenceMode guard;
  const DitContext merged = PrepareContext(dit_, layout_, text, {});
  EXPECT_EQ(merged.text_key[0].size(2), 4);  // three rows of the longer prompt, and the zeros
  EXPECT_LE(RelativeError(forward(merged), expected), 1e-6);

  const DitContext empty = WithText(dit_, merged, at::zeros_like(text));
  EXPECT_EQ(empty.text_key[0].size(2), 1);
  const DitContext both = JoinContexts(merged, empty);
  const at::Tensor joined = ForwardDit(dit_, tensors_.at("inputs/latents").repeat({2, 1, 1, 1, 1}),
                                       tensors_.at("inputs/timestep").repeat({2, 1}), both);
  EXPECT_LE(RelativeError(joined.narrow(0, 0, 2), expected), 1e-6);
  EXPECT_LE(RelativeError(joined.narrow(0, 2, 2), forward(empty)), 1e-6);
}

TEST_F(DitParity, TrainedNumericsInFloat32) {
  UseCamera(CameraMode::kPooledLatent, true);
  dit_.numerics = Numerics::kTrained;
  EXPECT_LE(
      RelativeError(Forward("timestep", "camera_pooled"), tensors_.at("expected/camera_pooled")),
      1e-5);
  UseCamera(CameraMode::kRayToken, false);
  EXPECT_LE(RelativeError(Forward("timestep_tokens", "camera_tokens"),
                          tensors_.at("expected/camera_tokens")),
            1e-5);
}

// docs/reference/wan22.md 6.2: bf16 is within 3e-2 (relative L2) of float32; keeping the residual
// stream in float32 is the closer of the two.
TEST_F(DitParity, BothNumericsInBfloat16) {
  const at::Tensor expected = tensors_.at("expected/tokens");
  const auto error = [&](Numerics numerics) {
    dit_.compute_dtype = at::kBFloat16;
    dit_.numerics = numerics;
    const at::Tensor got = Forward("timestep_tokens");
    EXPECT_EQ(got.scalar_type(), at::kFloat);
    return ((got - expected).norm() / expected.norm()).item<double>();
  };
  const double accurate = error(Numerics::kAccurate);
  const double trained = error(Numerics::kTrained);
  EXPECT_LE(accurate, 2e-2);
  EXPECT_LE(trained, 3e-2);
  EXPECT_LT(accurate, trained);
}

TEST_F(DitParity, TypeOfTheResidualStream) {
  const DitContext context = PrepareContext(dit_, layout_, tensors_.at("inputs/text"), {});
  for (const Numerics numerics : {Numerics::kAccurate, Numerics::kTrained}) {
    dit_.compute_dtype = at::kBFloat16;
    dit_.numerics = numerics;
    const DitState state =
        BeginForward(dit_, tensors_.at("inputs/latents"), tensors_.at("inputs/timestep"), context);
    const at::ScalarType expected = numerics == Numerics::kTrained ? at::kBFloat16 : at::kFloat;
    EXPECT_EQ(state.tokens.scalar_type(), expected);
    EXPECT_EQ(state.time_blocks.scalar_type(), expected);
  }
}

TEST_F(DitParity, CastWeightsChangesNoResult) {
  for (const Numerics numerics : {Numerics::kAccurate, Numerics::kTrained}) {
    dit_.compute_dtype = at::kBFloat16;
    dit_.numerics = numerics;
    const at::Tensor before = Forward("timestep");
    const DitWeights weights = dit_.weights;
    CastWeights(dit_);
    EXPECT_EQ(dit_.weights.blocks[0].ffn_up.weight.scalar_type(), at::kBFloat16);
    EXPECT_TRUE(Forward("timestep").equal(before));
    dit_.weights = weights;
  }
}

TEST_F(DitParity, WrongShapesAreNamed) {
  const at::Tensor& latents = tensors_.at("inputs/latents");
  const at::Tensor& text = tensors_.at("inputs/text");
  const at::Tensor& timestep = tensors_.at("inputs/timestep");
  const DitContext context = PrepareContext(dit_, layout_, text, {});
  using testing::ExpectThrowsWith;
  ExpectThrowsWith<InputError>(
      [&] {
        PrepareContext(dit_, layout_, at::zeros({2, 5, 11}), {});
      },
      {"text", "[2, 5, 11]"});
  ExpectThrowsWith<InputError>(
      [&] {
        WithText(dit_, context, at::zeros({3, 5, 12}));
      },
      {"text", "[3, 5, 12]"});
  ExpectThrowsWith<InputError>(
      [&] { ForwardDit(dit_, latents.narrow(2, 0, 2), timestep, context); },
      {"latents", "[2, 4, 2, 4, 6]"});
  ExpectThrowsWith<InputError>(
      [&] {
        ForwardDit(dit_, latents, at::zeros({2, 7}), context);
      },
      {"timestep", "[2, 7]", "latent frame (3)", "token (18)"});
  ExpectThrowsWith<InputError>([&] { ForwardDit(dit_, latents, at::zeros({3}), context); },
                               {"timestep", "[3"});
}

TEST(FindDistinct, JoinsTokensOfEqualTimestep) {
  at::Tensor timestep = at::full({2, 12}, 700.0f);
  timestep[0].narrow(0, 0, 3).zero_();
  const DistinctTimesteps frames = FindDistinct(timestep);
  EXPECT_THAT(frames.values, ::testing::ElementsAre(0.0f, 700.0f));
  EXPECT_EQ(frames.groups, 4);
  EXPECT_THAT(frames.index, ::testing::ElementsAre(0, 1, 1, 1, 1, 1, 1, 1));
  EXPECT_EQ(FindDistinct(at::full({2, 12}, 5.0f)).groups, 1);
  timestep[1][7] = 1;  // no run of equal tokens is left
  EXPECT_EQ(FindDistinct(timestep).groups, 12);
}

// docs/reference/wan22.md appendix B.7.
TEST(DitEmbedding, GoldenSinusoid) {
  const at::Tensor sinusoid = TimeSinusoid(at::tensor({999.0}), 256)[0];
  const std::vector<std::pair<int64_t, double>> expected = {
      {0, 0.99964985},    {1, 0.96378248},    {2, -0.39899176},
      {64, -0.84446970},  {127, 0.99424316},  {128, -0.02646075},
      {129, -0.26668959}, {192, -0.53560333}, {255, 0.10714724}};
  for (const auto& [i, value] : expected) EXPECT_NEAR(sinusoid[i].item<double>(), value, 1e-8) << i;
}

TEST(DitEmbedding, GoldenRopeAngles) {
  const CanvasLayout layout{4, 4, {0, 1}, {0, 0}};
  const at::Tensor angles = RopeAngles(layout, 128, 2);  // 2 x 2 tokens a frame
  ASSERT_EQ(angles.sizes(), at::IntArrayRef({8, 64}));
  const auto angle = [&](int64_t token, int64_t pair) {
    return angles[token][pair].item<double>();
  };
  EXPECT_NEAR(angle(4, 0), 1, 1e-12);  // frame 1, row 0, column 0
  EXPECT_NEAR(angle(4, 1), 0.65793322, 1e-8);
  EXPECT_NEAR(angle(4, 21), 1.51991e-4, 1e-9);
  EXPECT_NEAR(angle(2, 22), 1, 1e-12);  // row 1
  EXPECT_NEAR(angle(2, 23), 0.64494668, 1e-8);
  EXPECT_NEAR(angle(2, 42), 1.55052e-4, 1e-9);
  EXPECT_NEAR(angle(1, 43), 1, 1e-12);  // column 1
  EXPECT_NEAR(angle(1, 63), 1.55052e-4, 1e-9);
  EXPECT_EQ(angle(0, 0), 0);
  EXPECT_EQ(angle(3, 0), 0);
}

DitOptions Released(int channels, int dim, int ffn_dim, int num_heads, int num_layers) {
  DitOptions options;
  options.in_channels = options.out_channels = channels;
  options.dim = dim;
  options.ffn_dim = ffn_dim;
  options.num_heads = num_heads;
  options.num_layers = num_layers;
  options.text_dim = 4096;
  return options;
}

DitOptions ReleasedWithCameras() {
  DitOptions options = Released(48, 3072, 14336, 24, 30);
  options.camera.mode = CameraMode::kPooledLatent;
  options.camera.features = 12288;
  options.camera.projector = true;
  return options;
}

int64_t NumParameters(const DitOptions& options) {
  int64_t total = 0;
  for (const auto& [name, shape] : DitWeightShapes(options)) {
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    total += count;
  }
  return total;
}

// docs/reference/wan22.md 2.1, docs/reference/method.md 3.3. The last two are the published sizes
// of Wan2.1, by formula.
TEST(DitWeights, ReleasedSizes) {
  const DitOptions base = Released(48, 3072, 14336, 24, 30);
  EXPECT_EQ(DitWeightShapes(base).size(), 825);
  EXPECT_EQ(NumParameters(base), 4999787712);
  EXPECT_EQ(DitWeightShapes(ReleasedWithCameras()).size(), 945);
  EXPECT_EQ(NumParameters(ReleasedWithCameras()), 6415549632);
  EXPECT_EQ(NumParameters(Released(16, 1536, 8960, 12, 30)), 1418996800);
  EXPECT_EQ(NumParameters(Released(16, 5120, 13824, 40, 40)), 14288491584);
}

// Every product at the released width, with weights that take no memory (one number each). Two
// layers: all are of one shape.
TEST(DitWeights, ReleasedShapesFitTogether) {
  DitOptions options = ReleasedWithCameras();
  options.num_layers = 2;
  WeightMap weights;
  for (const auto& [name, shape] : DitWeightShapes(options))
    weights[name] = at::full({1}, 1e-3f).expand(shape);
  const Dit dit(options, weights);
  const DitContext context = PrepareContext(dit, {4, 2, {0, 1}, {0, 0}}, at::ones({1, 4, 4096}),
                                            at::ones({1, 2, 1, 12288}));
  EXPECT_EQ(context.camera.at(1).sizes(), at::IntArrayRef({1, 2, 3072}));
  const at::Tensor out =
      ForwardDit(dit, at::ones({1, 48, 2, 4, 2}), at::tensor({0.0f, 700.0f}).view({1, 2}), context);
  EXPECT_EQ(out.sizes(), at::IntArrayRef({1, 48, 2, 4, 2}));
  EXPECT_TRUE(out.isfinite().all().item<bool>());
}

// docs/reference/wan22.md appendix B.4: the official module at tiny width, weights and inputs by
// formula.
class OfficialGolden : public ::testing::Test {
 protected:
  static at::Tensor Wave(std::vector<int64_t> shape, double step, double phase) {
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    at::Tensor tensor = at::empty({count}, at::kDouble);
    for (int64_t j = 0; j < count; ++j)
      tensor.data_ptr<double>()[j] = std::sin(step * static_cast<double>(j) + phase);
    return tensor.view(shape);
  }

  void SetUp() override {
    DitOptions options;
    options.in_channels = options.out_channels = 4;
    options.dim = 32;
    options.ffn_dim = 48;
    options.freq_dim = 16;
    options.text_dim = 12;
    options.num_heads = 2;
    options.num_layers = 2;
    WeightMap weights;
    double position = 0;
    for (const auto& [name, shape] : DitWeightShapes(options)) {
      position += 1;
      at::Tensor base = Wave(shape, 0.3, 0.7 * position);
      const auto ends_with = [&, key = name](const std::string& end) {
        return key.size() >= end.size() &&
               key.compare(key.size() - end.size(), end.size(), end) == 0;
      };
      if (name.find("norm") != std::string::npos && ends_with("weight")) {
        base = 1 + 0.1 * base;
      } else if (ends_with("bias")) {
        base = 0.1 * base;
      } else if (ends_with("modulation")) {
        base = 0.2 * base;
      } else {
        base = base / std::sqrt(static_cast<double>(base.numel() / shape[0]));
      }
      weights[name] = base.to(at::kFloat);
    }
    dit_ = Dit(options, weights);
  }

  at::Tensor Forward(const at::Tensor& timestep) const {
    const at::Tensor text =
        at::cat({Wave({5, 12}, 0.05, 0.3), at::zeros({3, 12}, at::kDouble)}).to(at::kFloat);
    const DitContext context =
        PrepareContext(dit_, {4, 6, {0, 1, 2}, {0, 0, 0}}, text.unsqueeze(0), {});
    return ForwardDit(dit_, Wave({4, 3, 4, 6}, 0.05, 0.5).to(at::kFloat).unsqueeze(0), timestep,
                      context);
  }

  Dit dit_;
};

TEST_F(OfficialGolden, OneTimestep) {
  const at::Tensor out = Forward(at::full({1, 1}, 700.0f)).flatten().to(at::kDouble);
  EXPECT_EQ(out.numel(), 288);
  EXPECT_NEAR(out.sum().item<double>(), 2.2298024, 5e-4);
  EXPECT_NEAR(out.abs().sum().item<double>(), 405.165763, 4e-3);
  EXPECT_NEAR(out[0].item<double>(), 0.6774976, 2e-5);
  EXPECT_NEAR(out[144].item<double>(), 1.232612, 2e-5);
  EXPECT_NEAR(out[287].item<double>(), -0.5739664, 2e-5);
}

TEST_F(OfficialGolden, FirstFrameClean) {
  at::Tensor timestep = at::full({1, 18}, 700.0f);
  timestep.narrow(1, 0, 6).zero_();
  const at::Tensor out = Forward(timestep).flatten().to(at::kDouble);
  EXPECT_NEAR(out.abs().sum().item<double>(), 410.921036, 4e-3);
  EXPECT_NEAR(out[0].item<double>(), 0.7335013, 2e-5);
  EXPECT_NEAR(out[287].item<double>(), -0.5731521, 2e-5);
}

}  // namespace
}  // namespace aim
