#include "model/wan_vae_network.h"

#include <ATen/ATen.h>

#include <utility>

#include "aim/base/error.h"
#include "aim/kernels/convolution.h"
#include "aim/kernels/norm_silu.h"
#include "model/wan_vae_shortcuts.h"

namespace aim {
namespace {

using Kind = WanVaeLayer::Kind;

constexpr int64_t kHistory = 2;

// Takes the weights of one layer out of a map.
class Taker {
 public:
  Taker(const std::string& layer, WeightMap& weights) : layer_(layer), weights_(weights) {}

  at::Tensor operator()(const std::string& name) const {
    const auto found = weights_.find(layer_ + name);
    AIM_CHECK(found != weights_.end());
    at::Tensor weight = std::move(found->second);
    weights_.erase(found);
    return weight;
  }
  at::Tensor Gamma(const std::string& name) const { return (*this)(name + ".gamma").flatten(); }
  ConvWeights Conv(const std::string& name) const {
    return PrepareConv((*this)(name + ".weight"), (*this)(name + ".bias"));
  }
  // Over one pixel: [O, I, 1, ...] -> [O, I].
  ConvWeights Matrix(const std::string& name) const {
    return {(*this)(name + ".weight").flatten(1), (*this)(name + ".bias")};
  }
  // Over three frames at one pixel: [O, I, 3, 1, 1] -> [3, O, I].
  ConvWeights Time(const std::string& name) const {
    return {(*this)(name + ".weight").flatten(2).permute({2, 0, 1}).contiguous(),
            (*this)(name + ".bias")};
  }
  // Stride 2: ATen's.
  ConvWeights Strided(const std::string& name) const {
    return {(*this)(name + ".weight").contiguous(at::MemoryFormat::ChannelsLast),
            (*this)(name + ".bias")};
  }

 private:
  const std::string& layer_;
  WeightMap& weights_;
};

WanVaeLayerWeights ResolveLayer(const WanVaeLayer& layer, const Taker& take) {
  WanVaeLayerWeights weights;
  switch (layer.kind) {
    case Kind::kConv:
      weights.first = take.Conv("");
      break;
    case Kind::kResidual:
      weights.first_gamma = take.Gamma(".residual.0");
      weights.first = take.Conv(".residual.2");
      weights.second_gamma = take.Gamma(".residual.3");
      weights.second = take.Conv(".residual.6");
      if (layer.in != layer.out) weights.shortcut = take.Matrix(".shortcut");
      break;
    case Kind::kAttention:
      weights.first_gamma = take.Gamma(".norm");
      weights.first = take.Matrix(".to_qkv");
      weights.second = take.Matrix(".proj");
      break;
    case Kind::kDown:
      weights.first = take.Strided(".resample.1");
      if (layer.temporal) weights.time = take.Time(".time_conv");
      break;
    case Kind::kUp:
      weights.first = take.Conv(".resample.1");
      if (layer.temporal) weights.time = take.Time(".time_conv");
      break;
    case Kind::kHead:
      weights.first_gamma = take.Gamma(".0");
      weights.first = take.Conv(".2");
      break;
    case Kind::kBranch:
    case Kind::kAverage:
    case Kind::kRepeat:
      break;
  }
  return weights;
}

// [B, T, H, W, C] -> a view [B T, C, H, W], and back.
at::Tensor ToPictures(const at::Tensor& x) { return x.flatten(0, 1).permute({0, 3, 1, 2}); }
at::Tensor FromPictures(const at::Tensor& pictures, int64_t batch) {
  return pictures.permute({0, 2, 3, 1})
      .contiguous()
      .view({batch, -1, pictures.size(2), pictures.size(3), pictures.size(1)});
}

// `frames` behind the frames remembered from the pieces before.
at::Tensor WithHistory(const at::Tensor& frames, WanVaeCache& cache) {
  at::Tensor& slot = cache.Next();
  std::vector<int64_t> shape = frames.sizes().vec();
  shape[1] = kHistory;
  const at::Tensor history = slot.defined() ? slot : at::zeros(shape, frames.options());
  at::Tensor all = at::cat({history, frames}, 1);
  slot = cache.last ? at::Tensor() : all.narrow(1, all.size(1) - kHistory, kHistory).clone();
  return all;
}

// RMS and SiLU of x + bias where there is a `gamma`, then the causal 3x3x3 convolution without its
// OpenBias.
at::Tensor ConvolveOpen(at::Tensor x, const at::Tensor& bias, const at::Tensor& gamma,
                        const ConvWeights& conv, WanVaeCache& cache) {
  std::vector<int64_t> shape = x.sizes().vec();
  const int64_t num_frames = shape[1];
  shape[1] += kHistory;
  const at::Tensor all = at::empty(shape, x.options());
  at::Tensor& slot = cache.Next();
  if (slot.defined()) {
    all.narrow(1, 0, kHistory).copy_(slot);
  } else {
    all.narrow(1, 0, kHistory).zero_();
  }
  const at::Tensor fresh = all.narrow(1, kHistory, num_frames);
  if (gamma.defined()) {
    NormSiluInto(x, bias, gamma, fresh);
  } else {
    fresh.copy_(x);
  }
  x.reset();
  slot = cache.last ? at::Tensor() : all.narrow(1, num_frames, kHistory).clone();
  return CausalConv(all, conv);
}

at::Tensor Convolve(at::Tensor x, const at::Tensor& gamma, const ConvWeights& conv,
                    WanVaeCache& cache) {
  at::Tensor result = ConvolveOpen(std::move(x), {}, gamma, conv, cache);
  const at::Tensor bias = conv.OpenBias();
  return bias.defined() ? result.add_(bias) : result;
}

// Convolution over three frames at one pixel, as three matrix products.
at::Tensor TimeConv(const at::Tensor& x, const ConvWeights& conv, int64_t stride) {
  const int64_t num_frames = (x.size(1) - 3) / stride + 1;
  at::Tensor sum;
  for (int64_t k = 0; k < 3; ++k) {
    const at::Tensor frames =
        x.slice(1, k, k + (num_frames - 1) * stride + 1, stride).reshape({-1, x.size(4)});
    if (k == 0) {
      sum = at::linear(frames, conv.weight[k], conv.bias);
    } else {
      sum.addmm_(frames, conv.weight[k].t());
    }
  }
  return sum.view({x.size(0), num_frames, x.size(2), x.size(3), -1});
}

at::Tensor Residual(at::Tensor x, const WanVaeLayerWeights& weights, WanVaeCache& cache) {
  at::Tensor inner = ConvolveOpen(x, {}, weights.first_gamma, weights.first, cache);
  if (weights.shortcut.weight.defined())
    x = at::linear(x, weights.shortcut.weight, weights.shortcut.bias);
  inner = ConvolveOpen(std::move(inner), weights.first.OpenBias(), weights.second_gamma,
                       weights.second, cache);
  AddTo(inner, weights.second, x);
  return inner;
}

at::Tensor AttendInFrames(const at::Tensor& x, const WanVaeLayerWeights& weights) {
  const ConvWeights& qkv = weights.first;
  const ConvWeights& proj = weights.second;
  const at::Tensor rows = ChannelNorm(x, weights.first_gamma)
                              .flatten(2, 3)
                              .flatten(0, 1)
                              .unsqueeze(1);  // [B T, 1, H W, C]
  const std::vector<at::Tensor> parts = at::linear(rows, qkv.weight, qkv.bias).chunk(3, -1);
  const at::Tensor mixed = at::scaled_dot_product_attention(
      parts[0].contiguous(), parts[1].contiguous(), parts[2].contiguous());
  return at::linear(mixed, proj.weight, proj.bias).view(x.sizes()).add_(x);
}

at::Tensor Down(at::Tensor x, const WanVaeLayerWeights& weights, bool temporal,
                WanVaeCache& cache) {
  const int64_t batch = x.size(0);
  // One pixel of zeros at the right and the bottom.
  x = at::constant_pad_nd(x, {0, 0, 0, 1, 0, 1});
  x = FromPictures(at::conv2d(ToPictures(x), weights.first.weight, weights.first.bias, 2), batch);
  if (!temporal) return x;

  at::Tensor& slot = cache.Next();
  const at::Tensor before = slot;
  slot = cache.last ? at::Tensor() : x.narrow(1, x.size(1) - 1, 1).clone();
  if (!cache.first) return TimeConv(at::cat({before, x}, 1), weights.time, 2);
  if (x.size(1) == 1) return x;
  return at::cat({x.narrow(1, 0, 1), TimeConv(x, weights.time, 2)}, 1);
}

// Each frame becomes two, but the clip's first stays one and is not seen by the convolution.
at::Tensor DoubleFrames(at::Tensor x, const ConvWeights& time, WanVaeCache& cache) {
  const int64_t kept = cache.first ? 1 : 0;
  const int64_t doubled = x.size(1) - kept;
  if (doubled == 0) {
    cache.Next();  // stays zeros
    return x;
  }
  const int64_t channels = x.size(4);
  const at::Tensor all = WithHistory(x.narrow(1, kept, doubled), cache);
  at::Tensor pairs = TimeConv(all, time, 1);
  pairs = pairs.unflatten(4, {2, channels}).permute({0, 1, 4, 2, 3, 5}).flatten(1, 2);
  return kept == 0 ? pairs.contiguous() : at::cat({x.narrow(1, 0, 1), pairs}, 1);
}

}  // namespace

WanVaeNetwork::WanVaeNetwork(std::vector<WanVaeLayer> layers, WeightMap& weights) {
  for (WanVaeLayer& layer : layers) {
    const Taker take(layer.name, weights);
    layers_.push_back({layer, ResolveLayer(layer, take)});
  }
}

at::Tensor WanVaeNetwork::Run(at::Tensor x, WanVaeCache& cache) const {
  cache.next_slot = 0;
  at::Tensor branch;
  for (const auto& [layer, weights] : layers_) {
    switch (layer.kind) {
      case Kind::kConv:
      case Kind::kHead:
        x = Convolve(std::move(x), weights.first_gamma, weights.first, cache);
        break;
      case Kind::kResidual:
        x = Residual(std::move(x), weights, cache);
        break;
      case Kind::kAttention:
        x = AttendInFrames(x, weights);
        break;
      case Kind::kDown:
        x = Down(std::move(x), weights, layer.temporal, cache);
        break;
      case Kind::kUp:
        if (layer.temporal) x = DoubleFrames(std::move(x), weights.time, cache);
        x = UpsampleConv(x, weights.first);
        break;
      case Kind::kBranch:
        branch = x;
        break;
      case Kind::kAverage:
        x.add_(AverageCells(branch, layer.out, layer.temporal ? 2 : 1, layer.spatial ? 2 : 1));
        branch.reset();
        break;
      case Kind::kRepeat:
        AddRepeated(branch, layer.temporal ? 2 : 1, cache.first, x);
        branch.reset();
        break;
    }
  }
  cache.first = false;
  return x;
}

}  // namespace aim
