// The network on a GPU against the same in float32 on the CPU. Skipped where there is none.
#include "aim/tensor/device.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "aim/base/rng.h"
#include "aim/model/dit.h"
#include "model/fused.h"
#include "tests/support/tolerance.h"

namespace aim {
namespace {

class DeviceTest : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    if (!at::hasCUDA()) GTEST_SKIP() << "no CUDA in this build or no usable GPU";
    device_ = ParseDevice("cuda");
    at::manual_seed(5);
  }

  at::Tensor OnDevice(const at::Tensor& x) const {
    return x.defined() ? x.to(device_, GetParam()) : x;
  }
  at::Tensor OnDeviceInFloat(const at::Tensor& x) const { return x.to(device_); }

  double Tolerance() const {
    const bool is_bf16 = GetParam() == at::kBFloat16;
    return testing::TensorTolerance(testing::Device::kCuda, is_bf16 ? testing::Precision::kBfloat16
                                                                    : testing::Precision::kFloat32);
  }

  // Relative to the largest value.
  void ExpectNear(const at::Tensor& got, const at::Tensor& expected, double times = 1) const {
    EXPECT_EQ(got.device(), device_);
    const at::Tensor host = got.to(at::kCPU, at::kFloat);
    const double error = ((host - expected).abs().max() / expected.abs().max()).item<double>();
    EXPECT_LE(error, times * Tolerance());
  }

  c10::Device device_ = c10::Device(c10::kCPU);
};

TEST_P(DeviceTest, ModulatedNorm) {
  const at::Tensor x = at::randn({2, 6, 40}) * 3 + 1, camera = at::randn({2, 2, 40});
  const at::Tensor shift = at::randn({2, 3, 40}), scale = at::randn({2, 3, 40});
  ExpectNear(ModulatedNorm(OnDevice(x), OnDeviceInFloat(shift), OnDeviceInFloat(scale),
                           OnDevice(camera), GetParam(), 1e-6),
             ModulatedNorm(x, shift, scale, camera, at::kFloat, 1e-6));
}

TEST_P(DeviceTest, GatedAdd) {
  const at::Tensor x = at::randn({2, 6, 40}), y = at::randn({2, 6, 40}),
                   gate = at::randn({2, 2, 40});
  ExpectNear(GatedAdd(OnDeviceInFloat(x), OnDevice(y), OnDeviceInFloat(gate)),
             GatedAdd(x, y, gate));
}

TEST_P(DeviceTest, NormRope) {
  const at::Tensor x = at::randn({3, 6, 40}), weight = at::randn({40}), angle = at::randn({6, 10});
  ExpectNear(NormRope(OnDevice(x), OnDeviceInFloat(weight), OnDeviceInFloat(angle.cos()),
                      OnDeviceInFloat(angle.sin()), 2, 1e-6),
             NormRope(x, weight, angle.cos(), angle.sin(), 2, 1e-6));
}

TEST_P(DeviceTest, GeluTanh) {
  const at::Tensor x = at::randn({3, 7, 36}) * 4;
  ExpectNear(GeluTanh(OnDevice(x)), GeluTanh(x));
}

// All of it, with cameras, several timesteps and a segment embedding.
TEST_P(DeviceTest, Dit) {
  DitOptions options;
  options.dim = 96;
  options.num_heads = 2;
  options.ffn_dim = 192;
  options.num_layers = 3;
  options.camera.mode = "pooled_latent";
  options.camera.features = 24;
  options.camera.projector = true;
  options.segment_embeddings = 2;
  Dit dit{options, {}};
  for (const auto& [name, shape] : DitWeightShapes(options))
    dit.weights[name] = at::randn(shape) / std::sqrt(static_cast<double>(shape.back()));
  const CanvasLayout layout{4, 6, {0, 1, 2}, {0, 1, 1}};
  const at::Tensor text = at::randn({2, 5, options.text_dim}), camera = at::randn({2, 3, 1, 24});
  const at::Tensor latents = at::randn({2, options.in_channels, 3, 4, 6});
  const at::Tensor timestep = at::tensor({0.0f, 300.0f, 900.0f}).repeat({2, 1});
  const at::Tensor expected =
      ForwardDit(dit, latents, timestep, PrepareContext(dit, layout, text, camera));

  for (const Numerics numerics : {Numerics::kAccurate, Numerics::kTrained}) {
    Dit on_device{options, {}, GetParam(), numerics};
    for (const auto& [name, weight] : dit.weights) on_device.weights[name] = weight.to(device_);
    CastWeights(on_device);
    const DitContext context =
        PrepareContext(on_device, layout, OnDeviceInFloat(text), OnDeviceInFloat(camera));
    // Three layers of errors, and larger ones where the residual stream is rounded too.
    ExpectNear(ForwardDit(on_device, OnDeviceInFloat(latents), timestep, context), expected, 6);
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, DeviceTest, ::testing::Values(at::kFloat, at::kBFloat16));

}  // namespace
}  // namespace aim
