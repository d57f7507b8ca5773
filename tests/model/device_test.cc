// Every part of a model on each device and in each type against the same in float32 on the CPU.
// The rows of CUDA are skipped where there is no GPU.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "aim/kernels/attention.h"
#include "aim/kernels/convolution.h"
#include "aim/kernels/norm_silu.h"
#include "aim/kernels/rows.h"
#include "aim/kernels/scaled_rows.h"
#include "aim/model/camera_conditioning.h"
#include "aim/model/dit.h"
#include "aim/model/dit_fp8.h"
#include "aim/model/wan_vae.h"
#include "aim/text/umt5.h"
#include "support/device_rows.h"
#include "support/small_wan_vae.h"

namespace aim {
namespace {

WeightMap RandomWeights(const ShapeMap& shapes) {
  WeightMap weights;
  for (const auto& [name, shape] : shapes) {
    const at::Tensor values = at::randn(shape);
    const auto fan_in = static_cast<double>(values.numel() / values.size(0));
    weights[name] =
        name.ends_with("gamma") ? 1 + 0.2 * values : at::Tensor(values / std::sqrt(fan_in));
  }
  return weights;
}

class DeviceTest : public testing::DeviceRowTest {
 protected:
  WeightMap OnDevice(const WeightMap& weights) const {
    WeightMap moved;
    for (const auto& [name, weight] : weights) moved[name] = OnDevice(weight);
    return moved;
  }

  at::Tensor OnDevice(const at::Tensor& x) const {
    return x.defined() ? x.to(device_, Dtype()) : x;
  }
  at::Tensor OnDeviceInFloat(const at::Tensor& x) const { return x.to(device_); }
};

TEST_P(DeviceTest, ModulatedNorm) {
  const at::Tensor x = at::randn({2, 6, 40}) * 3 + 1, camera = at::randn({2, 2, 40});
  const at::Tensor shift = at::randn({2, 3, 40}), scale = at::randn({2, 3, 40});
  ExpectNear(ModulatedNorm(OnDevice(x), OnDeviceInFloat(shift), OnDeviceInFloat(scale),
                           OnDevice(camera), Dtype(), 1e-6),
             ModulatedNorm(x, shift, scale, camera, at::kFloat, 1e-6));
}

TEST_P(DeviceTest, GatedAdd) {
  const at::Tensor x = at::randn({2, 6, 40}), y = at::randn({2, 6, 40}),
                   gate = at::randn({2, 2, 40});
  ExpectNear(GatedAdd(OnDeviceInFloat(x), OnDevice(y), OnDeviceInFloat(gate)),
             GatedAdd(x, y, gate));
}

TEST_P(DeviceTest, GatedAddNorm) {
  const at::Tensor x = at::randn({2, 6, 40}), y = at::randn({2, 6, 40});
  const at::Tensor gate = at::randn({2, 2, 40}), shift = at::randn({2, 3, 40});
  const at::Tensor scale = at::randn({2, 3, 40}), camera = at::randn({2, 2, 40});
  const ResidualAndNorm got =
      GatedAddNorm(OnDeviceInFloat(x), OnDevice(y), OnDeviceInFloat(gate), OnDeviceInFloat(shift),
                   OnDeviceInFloat(scale), OnDevice(camera), Dtype(), 1e-6);
  const ResidualAndNorm expected = GatedAddNorm(x, y, gate, shift, scale, camera, at::kFloat, 1e-6);
  ExpectNear(got.residual, expected.residual);
  ExpectNear(got.normed, expected.normed);
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

// Widths and lengths that the fast kernels take and that they refuse, heads beside each other in a
// row as a product gives them, with a bias and without.
TEST_P(DeviceTest, Attention) {
  struct Size {
    int64_t queries, keys, width;
  };
  for (const Size& size : {Size{256, 128, 128}, Size{130, 77, 64}, Size{5, 3, 8}, Size{6, 9, 20}}) {
    const auto heads = [&](int64_t length) {
      return at::randn({2, length, 3, size.width}).transpose(1, 2);
    };
    const at::Tensor query = heads(size.queries), key = heads(size.keys), value = heads(size.keys);
    const at::Tensor bias = at::randn({2, size.keys});
    SCOPED_TRACE(std::to_string(size.queries) + " queries of " + std::to_string(size.width));
    const c10::NoGradGuard no_gradients;
    const at::Tensor got = Attend(OnDevice(query), OnDevice(key), OnDevice(value), {});
    EXPECT_EQ(got.sizes(), at::IntArrayRef({2, size.queries, 3 * size.width}));
    ExpectNear(got, AttendPlain(query, key, value, {}));
    ExpectNear(Attend(OnDevice(query), OnDevice(key), OnDevice(value), OnDeviceInFloat(bias)),
               AttendPlain(query, key, value, bias));
  }
}

// All of it, with cameras, several timesteps and a segment embedding.
TEST_P(DeviceTest, Dit) {
  DitOptions options;
  options.dim = 96;
  options.num_heads = 2;
  options.ffn_dim = 192;
  options.num_layers = 3;
  options.camera.mode = CameraMode::kPooledLatent;
  options.camera.features = 24;
  options.camera.projector = true;
  options.segment_embeddings = 2;
  WeightMap weights, moved;
  for (const auto& [name, shape] : DitWeightShapes(options)) {
    weights[name] = at::randn(shape) / std::sqrt(static_cast<double>(shape.back()));
    moved[name] = weights[name].to(device_);
  }
  const Dit dit(options, weights);
  const CanvasLayout layout{4, 6, {0, 1, 2}, {0, 1, 1}};
  const at::Tensor text = at::randn({2, 5, options.text_dim}), camera = at::randn({2, 3, 1, 24});
  const at::Tensor latents = at::randn({2, options.in_channels, 3, 4, 6});
  const at::Tensor timestep = at::tensor({0.0f, 300.0f, 900.0f}).repeat({2, 1});
  const at::Tensor expected =
      ForwardDit(dit, latents, timestep, PrepareContext(dit, layout, text, camera));

  for (const Numerics numerics : {Numerics::kAccurate, Numerics::kTrained}) {
    Dit on_device(options, moved, Dtype(), numerics);
    CastWeights(on_device);
    const DitContext context =
        PrepareContext(on_device, layout, OnDeviceInFloat(text), OnDeviceInFloat(camera));
    // Three layers of errors, and larger ones where the residual stream is rounded too.
    ExpectNear(ForwardDit(on_device, OnDeviceInFloat(latents), timestep, context), expected, 6);
  }
}

// Every device gives the same bits, zeros for zeros and NaN for a row that holds one.
TEST_P(DeviceTest, QuantiseRows) {
  for (const int64_t width : {8, 40, 3072, 14336}) {
    const at::Tensor x = at::randn({2, 5, width}).to(Dtype()) * 100;
    x[0][1].fill_(0);
    const ScaledRows expected = QuantiseRows(x), got = QuantiseRows(x.to(device_));
    EXPECT_TRUE(at::equal(got.values.cpu().view(at::kByte), expected.values.view(at::kByte)))
        << width;
    EXPECT_TRUE(at::equal(got.scale.cpu(), expected.scale)) << width;
    x[1][2][3] = std::numeric_limits<float>::quiet_NaN();
    const at::Tensor is_nan = Dequantise(QuantiseRows(x.to(device_))).isnan().cpu();
    EXPECT_TRUE(is_nan[1][2].all().item<bool>()) << width;
    EXPECT_EQ(is_nan.sum().item<int64_t>(), width);
  }
}

// The units of a GPU sum with fewer bits than float32, of which the longest rows lose most.
TEST_P(DeviceTest, ScaledProduct) {
  for (const int64_t inputs : {16, 48, 3072, 14336}) {
    const ScaledRows x = QuantiseRows(at::randn({3, 7, inputs}));
    const ScaledRows weight = QuantiseRows(at::randn({32, inputs}));
    const at::Tensor bias = at::randn({32}).to(at::kBFloat16);
    const auto moved = [this](const ScaledRows& rows) {
      return ScaledRows{rows.values.to(device_), rows.scale.to(device_)};
    };
    SCOPED_TRACE(inputs);
    const double error = Error(ScaledProduct(moved(x), moved(weight), bias.to(device_)),
                               at::matmul(Dequantise(x), Dequantise(weight).t()) + bias);
    const double tolerance =
        testing::TensorTolerance(testing::Device::kCpu, testing::Precision::kBfloat16);
    EXPECT_LE(error, device_.is_cuda() && inputs > 8192 ? 3 * tolerance : tolerance);
  }
}

// What the row operations quantise in one pass is what they give, quantised behind them: scales to
// their last digits, numbers but where a last digit of float32 turned a rounding.
TEST_P(DeviceTest, ScaledRows) {
  const at::Tensor x = OnDevice(at::randn({2, 6, 48})), y = at::randn({2, 6, 48});
  const at::Tensor bf16 = y.to(device_, at::kBFloat16);
  const at::Tensor gate = at::randn({2, 2, 48}).to(device_), shift = at::randn({2, 3, 48});
  const at::Tensor on_device = shift.to(device_), scale = at::randn({2, 3, 48}).to(device_);
  const at::Tensor camera = at::randn({2, 2, 48}).to(device_, at::kBFloat16);
  const auto expect_near = [](const aim::ScaledRows& got, const at::Tensor& rows) {
    const aim::ScaledRows expected = QuantiseRows(rows.contiguous());
    EXPECT_TRUE(at::allclose(got.scale, expected.scale, 1e-5));
    const at::Tensor same = Dequantise(got).isclose(Dequantise(expected), 1e-4);
    EXPECT_GE(same.to(at::kFloat).mean().item<double>(), 0.99);
    EXPECT_TRUE(at::allclose(Dequantise(got), rows.to(at::kFloat), 0.07, 1e-2));
  };
  expect_near(ScaledModulatedNorm(x, on_device, scale, camera, 1e-6),
              ModulatedNorm(x, on_device, scale, camera, at::kFloat, 1e-6));
  const ResidualAndScaledNorm got =
      ScaledGatedAddNorm(x, bf16, gate, on_device, scale, camera, 1e-6);
  const ResidualAndNorm expected =
      GatedAddNorm(x, bf16, gate, on_device, scale, camera, at::kFloat, 1e-6);
  EXPECT_TRUE(at::allclose(got.residual, expected.residual));
  expect_near(got.normed, expected.normed);
  expect_near(ScaledGeluTanh(bf16), GeluTanh(bf16.to(at::kFloat)));
}

// The network with its large matrices of eight bits, of one file: the same on every device, to the
// roundings of bfloat16 that turn a rounding to eight bits.
TEST_P(DeviceTest, DitOfEightBits) {
  if (Dtype() != at::kBFloat16) GTEST_SKIP() << "eight bits go with bfloat16";
  DitOptions options;
  options.dim = 96;
  options.num_heads = 2;
  options.ffn_dim = 192;
  options.num_layers = 4;
  WeightMap weights;
  for (const auto& [name, shape] : DitWeightShapes(options))
    weights[name] = at::randn(shape) / std::sqrt(static_cast<double>(shape.back()));
  const CanvasLayout layout{4, 6, {0, 1, 2}, {0, 1, 1}};
  const at::Tensor text = at::randn({2, 5, options.text_dim});
  const at::Tensor latents = at::randn({2, options.in_channels, 3, 4, 6});
  const auto forward = [&](c10::Device device, bool scaled) {
    WeightMap moved;
    for (const auto& [name, weight] : weights) moved[name] = weight.to(device);
    Dit dit(options, moved, at::kBFloat16);
    CastWeights(dit);
    if (scaled) QuantiseWeights(dit);
    return ForwardDit(dit, latents.to(device), at::full({2}, 500.0f),
                      PrepareContext(dit, layout, text.to(device), {}));
  };
  ExpectNear(forward(device_, true), forward(at::kCPU, true), 6);
  EXPECT_LE(Error(forward(device_, true), forward(at::kCPU, false)), 0.2);
}

// Channels that the kernels take and that they refuse, into frames of a larger tensor.
TEST_P(DeviceTest, NormSilu) {
  for (const int64_t channels : {8, 20, 96, 320, 1024, 1040}) {
    const at::Tensor x = at::randn({2, 3, 2, 5, channels}) * 3, bias = at::randn({channels});
    const at::Tensor gamma = at::randn({channels}), other = at::randn(x.sizes());
    SCOPED_TRACE(channels);
    for (const at::Tensor& used : {at::Tensor(), bias}) {
      const at::Tensor larger = at::zeros({2, 5, 2, 5, channels}).to(device_, Dtype());
      const at::Tensor out = larger.narrow(1, 2, 3);
      NormSiluInto(OnDevice(x), OnDevice(used), OnDevice(gamma), out);
      ExpectNear(out, NormSiluPlain(x, used, gamma));
      EXPECT_EQ(larger.narrow(1, 0, 2).abs().max().item<double>(), 0);
    }
    const at::Tensor sum = OnDevice(x).clone();
    AddTo(sum, {.weight = {}, .bias = OnDevice(bias)}, OnDevice(other));
    ExpectNear(sum, x + bias + other);
  }
}

// Both releases, whole, streamed and in tiles.
TEST_P(DeviceTest, WanVae) {
  for (const bool residual : {true, false}) {
    const WanVaeOptions options = testing::SmallWanVae(residual);
    const WeightMap weights = RandomWeights(WanVaeWeightShapes(options));
    const int64_t side = 4 * options.spatial_factor();
    const at::Tensor video = at::randn({1, 3, 9, side, side}).tanh();
    const at::Tensor latent = at::randn({1, 3, 3, 4, 4});
    for (const WanVaeRunOptions& run :
         {WanVaeRunOptions{.form = VaeForm::kWhole}, WanVaeRunOptions{.form = VaeForm::kChunked},
          WanVaeRunOptions{.tile_px = static_cast<int>(3 * side / 4),
          .overlap_px = static_cast<int>(side / 4)}}) {
      const WanVae plain(options, weights, "random", run);
      const WanVae moved(options, OnDevice(weights), "random", run);
      SCOPED_TRACE((residual ? "2.2 " : "2.1 ") + ToWord(run.form) + " " +
                   std::to_string(run.tile_px));
      // Some twenty convolutions deep.
      ExpectNear(moved.Encode(OnDeviceInFloat(video), ContentKind::kVideo),
                 plain.Encode(video, ContentKind::kVideo), 4);
      ExpectNear(moved.Decode(OnDeviceInFloat(latent), ContentKind::kVideo),
                 plain.Decode(latent, ContentKind::kVideo), 4);
    }
  }
}

TEST_P(DeviceTest, Umt5) {
  Umt5Options options;
  options.vocab_size = 50;
  options.dim = 32;
  options.head_dim = 8;
  options.num_heads = 4;
  options.ffn_dim = 48;
  options.num_layers = 2;
  const WeightMap weights = RandomWeights(Umt5WeightShapes(options));
  const at::Tensor ids = at::tensor({7, 3, 49, 1, 0, 0, 12, 1, 0, 0, 0, 0}, at::kLong).view({2, 6});
  const at::Tensor expected = Umt5Forward(options, weights, ids);
  // Two layers, each rounding its scores.
  ExpectNear(Umt5Forward(options, OnDevice(weights), OnDeviceInFloat(ids)), expected, 4);
  // Weights that stay in host memory come to the device a layer at a time.
  WeightMap stored;
  for (const auto& [name, weight] : weights) stored[name] = weight.to(Dtype());
  ExpectNear(Umt5Forward(options, stored, OnDeviceInFloat(ids)), expected, 4);
}

TEST_P(DeviceTest, PooledCameras) {
  CameraConditioningOptions options;
  options.pool = 4;
  options.features = 96;
  const at::Tensor camera = at::randn({2, 3, 12, 10, 8});
  ExpectNear(PoolCameraLatents(options, OnDevice(camera)), PoolCameraLatents(options, camera));
}

INSTANTIATE_TEST_SUITE_P(Rows, DeviceTest, testing::AllDeviceRows(), testing::DeviceRowName);

}  // namespace
}  // namespace aim
