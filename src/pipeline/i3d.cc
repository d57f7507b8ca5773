#include "aim/pipeline/i3d.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <limits>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/pipeline/metric_weights.h"
#include "aim/tensor/shape.h"

namespace aim {
namespace {

constexpr double kBatchNormEpsilon = 1e-3;
constexpr const char* kI3dFile = "i3d-kinetics-400.ckpt";
constexpr const char* kLogits = "Logits/Conv3d_0c_1x1";

struct UnitPlan {
  std::string name;
  int64_t kernel = 1;
  int64_t in = 0;
  int64_t out = 0;
};

// Channels of the branches: 1x1, then 1x1 and 3x3, again, then the pooled one.
struct MixedPlan {
  const char* name;
  std::array<int64_t, 6> channels;

  int64_t out() const { return channels[0] + channels[2] + channels[4] + channels[5]; }
};
constexpr int64_t kStemChannels = 192;
constexpr MixedPlan kMixed[] = {
    {"Mixed_3b", {64, 96, 128, 16, 32, 32}},     {"Mixed_3c", {128, 128, 192, 32, 96, 64}},
    {"Mixed_4b", {192, 96, 208, 16, 48, 64}},    {"Mixed_4c", {160, 112, 224, 24, 64, 64}},
    {"Mixed_4d", {128, 128, 256, 24, 64, 64}},   {"Mixed_4e", {112, 144, 288, 32, 64, 64}},
    {"Mixed_4f", {256, 160, 320, 32, 128, 128}}, {"Mixed_5b", {256, 160, 320, 32, 128, 128}},
    {"Mixed_5c", {384, 192, 384, 48, 128, 128}}};

constexpr const char* kBranch0 = "/Branch_0/Conv3d_0a_1x1";
constexpr const char* kBranch1First = "/Branch_1/Conv3d_0a_1x1";
constexpr const char* kBranch1Second = "/Branch_1/Conv3d_0b_3x3";
constexpr const char* kBranch2First = "/Branch_2/Conv3d_0a_1x1";
constexpr const char* kBranch2Second = "/Branch_2/Conv3d_0b_3x3";
constexpr const char* kBranch3 = "/Branch_3/Conv3d_0b_1x1";

// All that are followed by a normalisation; the logits have a bias instead.
std::vector<UnitPlan> NormalisedUnits() {
  std::vector<UnitPlan> units = {{"Conv3d_1a_7x7", 7, 3, 64},
                                 {"Conv3d_2b_1x1", 1, 64, 64},
                                 {"Conv3d_2c_3x3", 3, 64, kStemChannels}};
  int64_t in = kStemChannels;
  for (const MixedPlan& block : kMixed) {
    const std::string name = block.name;
    const auto& channels = block.channels;
    units.push_back({name + kBranch0, 1, in, channels[0]});
    units.push_back({name + kBranch1First, 1, in, channels[1]});
    units.push_back({name + kBranch1Second, 3, channels[1], channels[2]});
    units.push_back({name + kBranch2First, 1, in, channels[3]});
    units.push_back({name + kBranch2Second, 3, channels[3], channels[4]});
    units.push_back({name + kBranch3, 1, in, channels[5]});
    in = block.out();
  }
  return units;
}

std::string Param(const std::string& unit, const char* what) {
  return "params/" + unit + "/" + what;
}
std::string Statistic(const std::string& unit, const char* what) {
  return "batch_stats/" + unit + "/BatchNorm_0/" + what;
}

// What "SAME" adds on both sides of an axis: the odd one behind.
std::array<int64_t, 2> SamePadding(int64_t size, int64_t window, int64_t stride) {
  const int64_t steps = (size + stride - 1) / stride;
  const int64_t total = std::max<int64_t>((steps - 1) * stride + window - size, 0);
  return {total / 2, total - total / 2};
}

// Windows and strides over T, H and W.
using Extents = std::array<int64_t, 3>;

at::Tensor PadSame(const at::Tensor& x, const Extents& window, const Extents& stride,
                   double value) {
  std::vector<int64_t> padding;  // the last axis first
  for (size_t axis = 3; axis-- > 0;) {
    const auto sides =
        SamePadding(x.size(static_cast<int64_t>(axis) + 2), window[axis], stride[axis]);
    padding.insert(padding.end(), sides.begin(), sides.end());
  }
  const bool none = std::all_of(padding.begin(), padding.end(), [](int64_t n) { return n == 0; });
  return none ? x : at::constant_pad_nd(x, padding, value);
}

at::Tensor MaxPool(const at::Tensor& x, const Extents& window, const Extents& stride) {
  const at::Tensor padded = PadSame(x, window, stride, -std::numeric_limits<double>::infinity());
  return at::max_pool3d(padded, window, stride);
}

I3d::Unit FoldedUnit(const WeightMap& weights, const std::string& name) {
  const at::Tensor kernel = weights.at(Param(name, "Conv_0/kernel")).permute({4, 3, 0, 1, 2});
  const at::Tensor scale =
      (weights.at(Statistic(name, "var")).flatten() + kBatchNormEpsilon).rsqrt();
  const at::Tensor mean = weights.at(Statistic(name, "mean")).flatten();
  return {.weight = (kernel * scale.reshape({-1, 1, 1, 1, 1})).contiguous(),
          .bias = weights.at(Param(name, "BatchNorm_0/bias")) - mean * scale};
}

// A variance is no square of a number if it is negative; its root would make NaN of every feature.
void CheckVariances(const WeightMap& weights, const std::string& where) {
  for (const UnitPlan& unit : NormalisedUnits()) {
    const std::string name = Statistic(unit.name, "var");
    const auto lowest = weights.at(name).min().item<double>();
    if (lowest >= 0) continue;
    throw InputError({.where = where + ": " + name,
                      .got = std::to_string(lowest) + " at its lowest",
                      .expected = "variances of 0 or more",
                      .fix = ""});
  }
}

}  // namespace

ShapeMap I3dShapes() {
  ShapeMap shapes;
  for (const UnitPlan& unit : NormalisedUnits()) {
    shapes[Param(unit.name, "Conv_0/kernel")] = {unit.kernel, unit.kernel, unit.kernel, unit.in,
                                                 unit.out};
    shapes[Param(unit.name, "BatchNorm_0/bias")] = {unit.out};
    shapes[Statistic(unit.name, "mean")] = {1, 1, 1, 1, unit.out};
    shapes[Statistic(unit.name, "var")] = {1, 1, 1, 1, unit.out};
  }
  shapes[Param(kLogits, "Conv_0/kernel")] = {1, 1, 1, std::end(kMixed)[-1].out(), kI3dFeatures};
  shapes[Param(kLogits, "Conv_0/bias")] = {kI3dFeatures};
  return shapes;
}

I3d::I3d(const WeightMap& weights, const std::string& where, c10::Device device) {
  CheckMetricWeights(weights, I3dShapes(), where);
  CheckVariances(weights, where);
  const WeightMap ready = ConvertWeights(weights, at::kFloat, device);
  for (const UnitPlan& unit : NormalisedUnits()) units_[unit.name] = FoldedUnit(ready, unit.name);
  units_[kLogits] = {
      ready.at(Param(kLogits, "Conv_0/kernel")).permute({4, 3, 0, 1, 2}).contiguous(),
      ready.at(Param(kLogits, "Conv_0/bias"))};
}

I3d I3d::Load(const std::filesystem::path& folder, c10::Device device) {
  return I3d(LoadMetricWeights(folder, kI3dFile, I3dShapes()), (folder / kI3dFile).string(),
             device);
}

at::Tensor I3d::Run(const std::string& unit, const at::Tensor& x, int stride) const {
  const Unit& weights = units_.at(unit);
  const int64_t kernel = weights.weight.size(2);
  const at::Tensor padded = PadSame(x, {kernel, kernel, kernel}, {stride, stride, stride}, 0);
  return at::conv3d(padded, weights.weight, weights.bias, {stride, stride, stride}).relu_();
}

at::Tensor I3d::Mixed(const std::string& block, const at::Tensor& x) const {
  return at::cat(
      {Run(block + kBranch0, x), Run(block + kBranch1Second, Run(block + kBranch1First, x)),
       Run(block + kBranch2Second, Run(block + kBranch2First, x)),
       Run(block + kBranch3, MaxPool(x, {3, 3, 3}, {1, 1, 1}))},
      1);
}

at::Tensor I3d::Features(const at::Tensor& video) const {
  CheckShape(video, {"N", 3, "T", kI3dSizePx, kI3dSizePx}, "video");
  CheckDtype(video, at::kFloat, "video");
  if (video.size(2) < kI3dMinFrames) {
    throw InputError({.where = "video for I3D",
                      .got = CountText(video.size(2), "frame") + " long",
                      .expected = "at least " + std::to_string(kI3dMinFrames),
                      .fix = ""});
  }
  at::Tensor x = Run("Conv3d_1a_7x7", video, 2);
  x = MaxPool(x, {1, 3, 3}, {1, 2, 2});
  x = Run("Conv3d_2c_3x3", Run("Conv3d_2b_1x1", x));
  x = MaxPool(x, {1, 3, 3}, {1, 2, 2});
  for (const MixedPlan& block : kMixed) {
    const std::string name = block.name;
    if (name == "Mixed_4b") x = MaxPool(x, {3, 3, 3}, {2, 2, 2});
    if (name == "Mixed_5b") x = MaxPool(x, {2, 2, 2}, {2, 2, 2});
    x = Mixed(name, x);
  }
  x = at::avg_pool3d(x, {2, 7, 7}, {1, 1, 1});
  const Unit& logits = units_.at(kLogits);
  return at::conv3d(x, logits.weight, logits.bias).flatten(3).squeeze(3).mean(2);
}

at::Tensor I3dVideo(std::span<const uint8_t> rgb, int num_frames, int width, int height,
                    c10::Device device) {
  const size_t picture = rgb.size() / static_cast<size_t>(num_frames);
  AIM_CHECK(picture == 3 * static_cast<size_t>(width) * static_cast<size_t>(height));
  std::vector<at::Tensor> frames;
  for (int frame = 0; frame < num_frames; ++frame) {
    const auto* bytes = rgb.data() + static_cast<size_t>(frame) * picture;
    const at::Tensor pixels =
        at::from_blob(const_cast<uint8_t*>(bytes), {1, height, width, 3}, at::kByte);
    frames.push_back(at::upsample_bilinear2d(pixels.to(device).permute({0, 3, 1, 2}).to(at::kFloat),
                                             {kI3dSizePx, kI3dSizePx}, false));
  }
  const at::Tensor video = at::cat(frames).div_(127.5).sub_(1);  // [T, 3, 224, 224]
  return video.permute({1, 0, 2, 3}).unsqueeze(0).contiguous();
}

}  // namespace aim
