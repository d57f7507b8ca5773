#include "random_network.h"

#include <ATen/ATen.h>

#include <cmath>

namespace aim {
namespace {

at::Tensor RandomWeight(const std::string& name, const std::vector<int64_t>& shape,
                        const at::TensorOptions& options) {
  at::Tensor weight = at::randn(shape, options);
  const auto fan_in = static_cast<double>(weight.numel() / weight.size(0));
  const bool is_scale = name.ends_with("gamma") ||
                        (name.find("norm") != std::string::npos && name.ends_with(".weight"));
  if (is_scale) return weight.mul_(0.2).add_(1);
  if (name.ends_with("modulation")) return weight.mul_(0.5);
  return weight.mul_(shape.size() > 1 ? 1 / std::sqrt(fan_in) : 0.1);
}

}  // namespace

DitOptions ReleasedDit() {
  DitOptions options;
  options.in_channels = options.out_channels = 48;
  options.dim = 3072;
  options.ffn_dim = 14336;
  options.num_heads = 24;
  options.num_layers = 30;
  options.text_dim = 4096;
  options.camera.mode = CameraMode::kPooledLatent;
  options.camera.features = 12288;
  options.camera.projector = true;
  return options;
}

WeightMap RandomWeights(const ShapeMap& shapes, c10::Device device,
                        const std::function<at::ScalarType(const std::string&)>& dtype_of) {
  WeightMap weights;
  for (const auto& [name, shape] : shapes) {
    const at::TensorOptions options = at::TensorOptions().device(device).dtype(dtype_of(name));
    weights[name] = RandomWeight(name, shape, options);
  }
  return weights;
}

}  // namespace aim
