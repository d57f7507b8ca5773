#include "model/wan_vae_network.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "aim/base/error.h"
#include "aim/kernels/row_kernels.h"
#include "aim/kernels/winograd.h"
#include "model/wan_vae_shortcuts.h"

namespace aim {
namespace {

using Kind = WanVaeLayer::Kind;

constexpr int64_t kHistory = 2;
// Below this many channels the transforms of Winograd cost more than they save.
constexpr int64_t kMinWinogradChannels = 32;

at::Tensor Take(const std::string& name, WeightMap& weights) {
  const auto found = weights.find(name);
  AIM_CHECK(found != weights.end());
  at::Tensor weight = std::move(found->second);
  weights.erase(found);
  return weight;
}

bool RowsRunHere(const at::Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat; }

at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& gamma) {
  const bool narrow = x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16;
  const at::Tensor wide = narrow ? x.to(at::kFloat) : x;
  const at::Tensor norm = wide.norm(2, {-1}, /*keepdim=*/true).clamp_min(1e-12);
  const double root = std::sqrt(static_cast<double>(x.size(-1)));
  return (wide / norm).to(x.scalar_type()).mul_(root).mul_(gamma);
}

// out: frames of a larger tensor, contiguous within each batch item.
void NormSiluInto(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& out) {
  if (!RowsRunHere(x)) {
    out.copy_(NormSiluPlain(x, gamma));
    return;
  }
  const int64_t channels = x.size(-1);
  const float root = std::sqrt(static_cast<float>(channels));
  const float* const weight = gamma.const_data_ptr<float>();
  for (int64_t item = 0; item < x.size(0); ++item) {
    const float* const from = x[item].const_data_ptr<float>();
    float* const to = out[item].data_ptr<float>();
    at::parallel_for(0, x[item].numel() / channels, std::max<int64_t>(1, 16384 / channels),
                     [&](int64_t begin, int64_t end) {
                       for (int64_t row = begin; row < end; ++row) {
                         rows::NormSilu(from + row * channels, weight, root, to + row * channels,
                                        channels);
                       }
                     });
  }
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

}  // namespace

at::Tensor NormSiluPlain(const at::Tensor& x, const at::Tensor& gamma) {
  at::Tensor y = RmsNorm(x, gamma);
  return at::silu_(y);
}

WanVaeNetwork::WanVaeNetwork(std::vector<WanVaeLayer> layers, WeightMap& weights)
    : layers_(std::move(layers)) {
  for (const WanVaeLayer& layer : layers_) AddLayer(layer, weights);
}

void WanVaeNetwork::AddConv(const std::string& name, bool time_only, WeightMap& weights) {
  Conv conv{.weight = Take(name + ".weight", weights), .bias = Take(name + ".bias", weights)};
  const int64_t dims = conv.weight.dim();
  if (time_only) {  // [O, I, 3, 1, 1] -> [3, O, I]
    conv.weight = conv.weight.flatten(2).permute({2, 0, 1}).contiguous();
  } else if (conv.weight.size(-1) == 1) {  // a matrix
    conv.weight = conv.weight.flatten(1);
  } else if (RowsRunHere(conv.weight) &&
             std::min(conv.weight.size(0), conv.weight.size(1)) >= kMinWinogradChannels) {
    conv.winograd = true;
    conv.weight = WinogradTaps(dims == 4 ? conv.weight.unsqueeze(2) : conv.weight);
  } else {
    conv.weight = conv.weight.contiguous(dims == 4 ? at::MemoryFormat::ChannelsLast
                                                   : at::MemoryFormat::ChannelsLast3d);
  }
  convs_[name] = std::move(conv);
}

void WanVaeNetwork::AddLayer(const WanVaeLayer& layer, WeightMap& weights) {
  ShapeMap shapes;
  AddLayerShapes(layer, shapes);
  for (const auto& [name, shape] : shapes) {
    if (name.ends_with(".gamma")) gammas_[name] = Take(name, weights).flatten();
    if (!name.ends_with(".weight")) continue;
    const std::string stem = name.substr(0, name.size() - std::string(".weight").size());
    if (layer.kind == Kind::kDown && stem.ends_with(".resample.1")) {
      // Stride 2: not for Winograd.
      convs_[stem] = {.weight = Take(name, weights).contiguous(at::MemoryFormat::ChannelsLast),
                      .bias = Take(stem + ".bias", weights)};
    } else {
      AddConv(stem, stem.ends_with(".time_conv"), weights);
    }
  }
}

at::Tensor WanVaeNetwork::CausalConv(at::Tensor x, const at::Tensor* gamma, const std::string& name,
                                     WanVaeCache& cache) const {
  const Conv& conv = convs_.at(name);
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
  if (gamma != nullptr) {
    NormSiluInto(x, *gamma, fresh);
  } else {
    fresh.copy_(x);
  }
  x.reset();
  slot = cache.last ? at::Tensor() : all.narrow(1, num_frames, kHistory).clone();
  if (conv.winograd) return WinogradConv(all, conv.weight, conv.bias);
  return at::conv3d(all.permute({0, 4, 1, 2, 3}), conv.weight, conv.bias, 1,
                    at::IntArrayRef({0, 1, 1}))
      .permute({0, 2, 3, 4, 1})
      .contiguous();
}

// Convolution over three frames at one pixel, as three matrix products.
at::Tensor WanVaeNetwork::TimeConv(const at::Tensor& x, const std::string& name,
                                   int64_t stride) const {
  const Conv& conv = convs_.at(name);
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

at::Tensor WanVaeNetwork::Residual(at::Tensor x, const WanVaeLayer& layer,
                                   WanVaeCache& cache) const {
  const std::string name = layer.name + ".residual.";
  at::Tensor inner = CausalConv(x, &gammas_.at(name + "0.gamma"), name + "2", cache);
  if (layer.in != layer.out) {
    const Conv& shortcut = convs_.at(layer.name + ".shortcut");
    x = at::linear(x, shortcut.weight, shortcut.bias);
  }
  inner = CausalConv(std::move(inner), &gammas_.at(name + "3.gamma"), name + "6", cache);
  return inner.add_(x);
}

at::Tensor WanVaeNetwork::Attention(at::Tensor x, const WanVaeLayer& layer) const {
  const Conv& qkv = convs_.at(layer.name + ".to_qkv");
  const Conv& proj = convs_.at(layer.name + ".proj");
  const at::Tensor rows = RmsNorm(x, gammas_.at(layer.name + ".norm.gamma"))
                              .flatten(2, 3)
                              .flatten(0, 1)
                              .unsqueeze(1);  // [B T, 1, H W, C]
  const std::vector<at::Tensor> parts = at::linear(rows, qkv.weight, qkv.bias).chunk(3, -1);
  const at::Tensor mixed = at::scaled_dot_product_attention(
      parts[0].contiguous(), parts[1].contiguous(), parts[2].contiguous());
  return at::linear(mixed, proj.weight, proj.bias).view(x.sizes()).add_(x);
}

at::Tensor WanVaeNetwork::Down(at::Tensor x, const WanVaeLayer& layer, WanVaeCache& cache) const {
  const Conv& conv = convs_.at(layer.name + ".resample.1");
  const int64_t batch = x.size(0);
  // One pixel of zeros at the right and the bottom.
  x = at::constant_pad_nd(x, {0, 0, 0, 1, 0, 1});
  x = FromPictures(at::conv2d(ToPictures(x), conv.weight, conv.bias, 2), batch);
  if (!layer.temporal) return x;

  at::Tensor& slot = cache.Next();
  const std::string time_conv = layer.name + ".time_conv";
  const at::Tensor before = slot;
  slot = cache.last ? at::Tensor() : x.narrow(1, x.size(1) - 1, 1).clone();
  if (!cache.first) return TimeConv(at::cat({before, x}, 1), time_conv, 2);
  if (x.size(1) == 1) return x;
  return at::cat({x.narrow(1, 0, 1), TimeConv(x, time_conv, 2)}, 1);
}

// Each frame becomes two, but the clip's first stays one and is not seen by the convolution.
at::Tensor WanVaeNetwork::DoubleFrames(at::Tensor x, const WanVaeLayer& layer,
                                       WanVaeCache& cache) const {
  const int64_t kept = cache.first ? 1 : 0;
  const int64_t doubled = x.size(1) - kept;
  if (doubled == 0) {
    cache.Next();  // stays zeros
    return x;
  }
  const at::Tensor all = WithHistory(x.narrow(1, kept, doubled), cache);
  at::Tensor pairs = TimeConv(all, layer.name + ".time_conv", 1);
  pairs = pairs.unflatten(4, {2, layer.in}).permute({0, 1, 4, 2, 3, 5}).flatten(1, 2);
  return kept == 0 ? pairs.contiguous() : at::cat({x.narrow(1, 0, 1), pairs}, 1);
}

at::Tensor WanVaeNetwork::Up(at::Tensor x, const WanVaeLayer& layer, WanVaeCache& cache) const {
  if (layer.temporal) x = DoubleFrames(std::move(x), layer, cache);
  const Conv& conv = convs_.at(layer.name + ".resample.1");
  if (conv.winograd) return WinogradUpsampleConv(x, conv.weight, conv.bias);
  const at::Tensor larger =
      at::upsample_nearest2d(ToPictures(x), {2 * x.size(2), 2 * x.size(3)}, 2.0, 2.0);
  return FromPictures(at::conv2d(larger, conv.weight, conv.bias, 1, 1), x.size(0));
}

at::Tensor WanVaeNetwork::Run(at::Tensor x, WanVaeCache& cache) const {
  cache.next_slot = 0;
  at::Tensor branch;
  for (const WanVaeLayer& layer : layers_) {
    switch (layer.kind) {
      case Kind::kConv:
        x = CausalConv(std::move(x), nullptr, layer.name, cache);
        break;
      case Kind::kResidual:
        x = Residual(std::move(x), layer, cache);
        break;
      case Kind::kAttention:
        x = Attention(std::move(x), layer);
        break;
      case Kind::kDown:
        x = Down(std::move(x), layer, cache);
        break;
      case Kind::kUp:
        x = Up(std::move(x), layer, cache);
        break;
      case Kind::kHead:
        x = CausalConv(std::move(x), &gammas_.at(layer.name + ".0.gamma"), layer.name + ".2",
                       cache);
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
