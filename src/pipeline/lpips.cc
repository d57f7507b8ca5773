#include "aim/pipeline/lpips.h"

#include <ATen/ATen.h>

#include <span>

#include "aim/base/error.h"
#include "aim/pipeline/metric_weights.h"
#include "aim/tensor/shape.h"

namespace aim {
namespace {

constexpr double kNormEpsilon = 1e-10;

// A convolution with ReLU; what comes before and after it.
struct ConvPlan {
  int out_channels = 0;
  int kernel = 3;
  int stride = 1;
  int padding = 1;
  int pool = 0;  // window of the maximum before it, in steps of two pixels; 0: none
  bool is_compared = false;
};

constexpr ConvPlan kAlexnetPlan[] = {{64, 11, 4, 2, 0, true},
                                     {192, 5, 1, 2, 3, true},
                                     {384, 3, 1, 1, 3, true},
                                     {256, 3, 1, 1, 0, true},
                                     {256, 3, 1, 1, 0, true}};
constexpr ConvPlan kVgg16Plan[] = {
    {64, 3, 1, 1, 0, false}, {64, 3, 1, 1, 0, true},   {128, 3, 1, 1, 2, false},
    {128, 3, 1, 1, 0, true}, {256, 3, 1, 1, 2, false}, {256, 3, 1, 1, 0, false},
    {256, 3, 1, 1, 0, true}, {512, 3, 1, 1, 2, false}, {512, 3, 1, 1, 0, false},
    {512, 3, 1, 1, 0, true}, {512, 3, 1, 1, 2, false}, {512, 3, 1, 1, 0, false},
    {512, 3, 1, 1, 0, true}};

std::span<const ConvPlan> PlanOf(LpipsNetwork network) {
  if (network == LpipsNetwork::kAlexnet) return kAlexnetPlan;
  return kVgg16Plan;
}

std::string ConvName(LpipsNetwork network, size_t index) {
  const std::string prefix = network == LpipsNetwork::kAlexnet ? "AlexNet_0" : "VGG16_0";
  return prefix + "/Conv_" + std::to_string(index) + "/";
}

std::string HeadName(int index) {
  return "NetLinLayer_" + std::to_string(index) + "/Conv_0/kernel";
}

at::Tensor UnitLength(const at::Tensor& features) {
  return features / (features.square().sum(1, true).sqrt() + kNormEpsilon);
}

}  // namespace

ShapeMap LpipsShapes(LpipsNetwork network) {
  ShapeMap shapes;
  int64_t in = 3;
  int head = 0;
  const std::span<const ConvPlan> plan = PlanOf(network);
  for (size_t i = 0; i < plan.size(); ++i) {
    const int64_t out = plan[i].out_channels;
    shapes[ConvName(network, i) + "kernel"] = {plan[i].kernel, plan[i].kernel, in, out};
    shapes[ConvName(network, i) + "bias"] = {out};
    if (plan[i].is_compared) shapes[HeadName(head++)] = {1, 1, out, 1};
    in = out;
  }
  return shapes;
}

Lpips::Lpips(LpipsNetwork network, const WeightMap& weights, const std::string& where,
             c10::Device device)
    : network_(network) {
  CheckMetricWeights(weights, LpipsShapes(network), where);
  const WeightMap ready = ConvertWeights(weights, at::kFloat, device);
  const auto convolution = [&](const std::string& name) {
    return ready.at(name).permute({3, 2, 0, 1}).contiguous();
  };
  const std::span<const ConvPlan> plan = PlanOf(network);
  int head = 0;
  for (size_t i = 0; i < plan.size(); ++i) {
    const std::string name = ConvName(network, i);
    layers_.push_back({convolution(name + "kernel"), ready.at(name + "bias"), {}});
    if (!plan[i].is_compared) continue;
    layers_.back().head = ready.at(HeadName(head++)).reshape({1, plan[i].out_channels, 1, 1});
  }
  const at::TensorOptions options = at::TensorOptions(at::kFloat).device(device);
  shift_ = at::tensor({-0.030, -0.088, -0.188}, at::kFloat).to(options).reshape({1, 3, 1, 1});
  scale_ = at::tensor({0.458, 0.448, 0.450}, at::kFloat).to(options).reshape({1, 3, 1, 1});
}

Lpips Lpips::Load(LpipsNetwork network, const std::filesystem::path& folder, c10::Device device) {
  const std::string file = ToWord(network) + ".ckpt";
  return Lpips(network, LoadMetricWeights(folder, file, LpipsShapes(network)),
               (folder / file).string(), device);
}

int Lpips::min_size_px() const {
  int size = 1;
  const std::span<const ConvPlan> plan = PlanOf(network_);
  for (size_t i = plan.size(); i-- > 0;) {
    size = (size - 1) * plan[i].stride + plan[i].kernel - 2 * plan[i].padding;
    if (plan[i].pool > 0) size = (std::max(size, 1) - 1) * 2 + plan[i].pool;
  }
  return size;
}

at::Tensor Lpips::Distance(const at::Tensor& first, const at::Tensor& second) const {
  CheckShape(first, {"N", 3, "H", "W"}, "first pictures");
  CheckShape(second, {first.size(0), 3, first.size(2), first.size(3)}, "second pictures");
  CheckDtype(first, at::kFloat, "first pictures");
  CheckDtype(second, at::kFloat, "second pictures");
  if (std::min(first.size(2), first.size(3)) < min_size_px()) {
    throw InputError({.where = "pictures for LPIPS",
                      .got = ShapeText(first.sizes()),
                      .expected = "at least " + std::to_string(min_size_px()) + " pixels a side",
                      .fix = ""});
  }
  const int64_t count = first.size(0);
  at::Tensor x = (at::cat({first, second}) - shift_) / scale_;  // [2 N, 3, H, W]
  at::Tensor distance = at::zeros({count}, first.options());
  const std::span<const ConvPlan> plan = PlanOf(network_);
  for (size_t i = 0; i < plan.size(); ++i) {
    const Layer& layer = layers_[i];
    if (plan[i].pool > 0) x = at::max_pool2d(x, {plan[i].pool, plan[i].pool}, {2, 2});
    x = at::conv2d(x, layer.weight, layer.bias, {plan[i].stride, plan[i].stride},
                   {plan[i].padding, plan[i].padding})
            .relu_();
    if (!layer.head.defined()) continue;
    const at::Tensor unit = UnitLength(x);
    const at::Tensor apart = (unit.narrow(0, 0, count) - unit.narrow(0, count, count)).square();
    distance += (apart * layer.head).sum(1).mean({1, 2});
  }
  return distance;
}

}  // namespace aim
