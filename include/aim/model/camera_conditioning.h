// Cameras as the vectors a network reads: rays of each token, or pooled latents of Plücker videos.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "aim/geometry/camera.h"
#include "aim/model/autoencoder.h"
#include "aim/model/dit_options.h"

namespace aim {

// What the camera vectors of a clip depend on beside its cameras.
struct CameraGrid {
  int64_t num_frames = 17;  // T, video frames
  int64_t height = 64;      // H, W: pixels
  int64_t width = 64;
};

// Camera vectors of every latent frame of every view, as options.camera asks for:
//
//   ray_token      [V, T_l, rows * columns, 6 * patch^2]  rays of every token, below
//   pooled_latent  [V, T_l, 1, features]                  PoolCameraLatents of CameraLatents
//   none           undefined
//
// T_l = 1 + (T - 1) / temporal_factor. Float32 on the CPU. Zeros where a view has no camera (its
// track is empty): a ray's direction has length 1, so that no known camera looks like it. Throws
// ConfigError if `features` and the autoencoder's channels do not fit together.
at::Tensor CameraVectors(const DitOptions& options, const Autoencoder& autoencoder,
                         const std::vector<CameraTrack>& cameras, const CameraGrid& grid);

// The Plücker rays each token looks along: for every view, latent frame and token the rays through
// the centres of a patch x patch grid inside the token, as [V, T_l, rows * columns, 6 * patch^2].
// A latent frame takes the camera of its first video frame.
at::Tensor RayTokens(const DitOptions& options, const Autoencoder& autoencoder,
                     const std::vector<CameraTrack>& cameras, const CameraGrid& grid);

// Latents of two videos a view, unit directions of the rays and their moments (a third of t x d,
// metres), encoded like RGB but not rescaled. docs/reference/method.md 3.1.
//
//   returns  [V, T_l, 2 C, h, w]  direction first
at::Tensor CameraLatents(const DitOptions& options, const Autoencoder& autoencoder,
                         const std::vector<CameraTrack>& cameras, const CameraGrid& grid);

// The released pooling (docs/reference/method.md 3.3): the latents of one frame, seen as a volume
// of depth 2 C, are averaged adaptively to [features / pool^2, pool, pool] and flattened. Output i
// of n averages inputs floor(i m / n) to ceil((i + 1) m / n), so at 512 x 512 channels are averaged
// in pairs.
//
//   camera   [B, F, 2 C, h, w]
//   returns  [B, F, 1, features]
// Throws ConfigError unless features is a multiple of pool^2.
at::Tensor PoolCameraLatents(const CameraConditioningOptions& options, const at::Tensor& camera);

// CameraVectors that remembers what it made: a fixed rig sends the same rays through the
// autoencoder before every plan. Thread-safe; holds one model's vectors.
class CameraCache {
 public:
  at::Tensor Get(const DitOptions& options, const Autoencoder& autoencoder,
                 const std::vector<CameraTrack>& cameras, const CameraGrid& grid);

 private:
  std::mutex mutex_;
  std::map<std::string, at::Tensor> vectors_;  // by the bytes of cameras and grid
};

}  // namespace aim
