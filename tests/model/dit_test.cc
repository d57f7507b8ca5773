#include "aim/model/dit.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "aim/base/error.h"
#include "aim/tensor/safetensors.h"

namespace aim {
namespace {

double RelativeError(const at::Tensor& value, const at::Tensor& expected) {
  return ((value - expected).abs().max() / expected.abs().max()).item<double>();
}

// Diffusers' WanTransformer3DModel with random weights, and the same with the released camera
// conditioning in PyTorch; scripts/make_dit_fixture.py.
class DitParity : public ::testing::Test {
 protected:
  void SetUp() override {
    const SafetensorsFile file = OpenSafetensors(std::string(std::getenv("AIM_SOURCE_DIR")) +
                                                 "/tests/data/dit_fixture.safetensors");
    tensors_ = file.tensors;
    ApplyOptions(dit_.options, nlohmann::json::parse(file.metadata.at("config")), "fixture");
    for (const auto& [name, tensor] : tensors_) {
      if (name.rfind("weights/", 0) == 0) dit_.weights[name.substr(8)] = tensor;
    }
    layout_ = {4, 6, {0, 1, 2}, {0, 0, 0}};
  }

  void UseCamera(const std::string& mode, bool projector) {
    dit_.options.camera.mode = mode;
    dit_.options.camera.projector = projector;
    for (const auto& [name, tensor] : tensors_) {
      if (name.rfind("camera_weights/", 0) != 0) continue;
      if (projector || name.find("projector") == std::string::npos)
        dit_.weights[name.substr(15)] = tensor;
    }
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
  UseCamera("pooled_latent", true);
  EXPECT_LE(
      RelativeError(Forward("timestep", "camera_pooled"), tensors_.at("expected/camera_pooled")),
      1e-5);
}

TEST_F(DitParity, CameraVectorAToken) {
  UseCamera("ray_token", false);
  EXPECT_LE(RelativeError(Forward("timestep_tokens", "camera_tokens"),
                          tensors_.at("expected/camera_tokens")),
            1e-5);
}

TEST_F(DitParity, WeightsAreThoseTheOptionsAskFor) {
  UseCamera("ray_token", true);
  const auto shapes = DitWeightShapes(dit_.options);
  ASSERT_EQ(shapes.size(), dit_.weights.size());
  for (const auto& [name, shape] : shapes)
    EXPECT_EQ(dit_.weights.at(name).sizes(), at::IntArrayRef(shape)) << name;
}

TEST_F(DitParity, TimestepPerFrameEqualsTimestepPerToken) {
  const at::Tensor frames = at::tensor({0.0f, 300.0f, 900.0f}).repeat({2, 1});
  const DitContext context = PrepareContext(dit_, layout_, tensors_.at("inputs/text"), {});
  const at::Tensor by_frame = ForwardDit(dit_, tensors_.at("inputs/latents"), frames, context);
  const at::Tensor by_token =
      ForwardDit(dit_, tensors_.at("inputs/latents"), frames.repeat_interleave(6, 1), context);
  EXPECT_LE(RelativeError(by_frame, by_token), 1e-6);
}

TEST_F(DitParity, WrongShapesAreNamed) {
  try {
    PrepareContext(dit_, layout_, at::zeros({2, 5, 11}), {});
    FAIL() << "accepted text of the wrong width";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(),
                ::testing::AllOf(::testing::HasSubstr("text"), ::testing::HasSubstr("[2, 5, 11]")));
  }
}

// wan22.md appendix B.4: the official module at tiny width, weights and inputs by formula.
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
    dit_.options.in_channels = dit_.options.out_channels = 4;
    dit_.options.dim = 32;
    dit_.options.ffn_dim = 48;
    dit_.options.freq_dim = 16;
    dit_.options.text_dim = 12;
    dit_.options.num_heads = 2;
    dit_.options.num_layers = 2;
    double position = 0;
    for (const auto& [name, shape] : DitWeightShapes(dit_.options)) {
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
      dit_.weights[name] = base.to(at::kFloat);
    }
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
