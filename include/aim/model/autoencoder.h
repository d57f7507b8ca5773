// What turns video into latents and back: the fixed linear code of the small model, later the VAE
// of Wan.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace aim {

// What the pixels show. A code may treat the two differently; the VAE of Wan does not.
enum class ContentKind { kVideo, kAction };

inline constexpr int64_t kColours = 3;  // of a video

// Latent frame 0 holds video frame 0 alone, each later one the next temporal_factor() frames, so a
// single image is a clip of one frame and its latent is the first of any clip that begins with it.
// `const` methods are thread-safe.
class Autoencoder {
 public:
  virtual ~Autoencoder() = default;

  //   video    [B, 3, T, H, W]  float32, RGB in [-1, 1]; T = 1 + n * temporal_factor(), H and W
  //                             multiples of spatial_factor()
  //   returns  [B, C, F, h, w]  float32, F = 1 + n
  // Throws InputError with the tensor, its shape and the one expected.
  virtual at::Tensor Encode(const at::Tensor& video, ContentKind kind) const = 0;

  //   latent   [B, C, F, h, w]  float32
  //   returns  [B, 3, T, H, W]  float32, about [-1, 1]
  virtual at::Tensor Decode(const at::Tensor& latent, ContentKind kind) const = 0;

  virtual int64_t channels() const = 0;         // C
  virtual int64_t spatial_factor() const = 0;   // H / h
  virtual int64_t temporal_factor() const = 0;  // video frames of every latent frame but the first

  // Where Encode and Decode expect their tensors.
  virtual c10::Device device() const { return c10::Device(c10::kCPU); }

  // Gives memory back that the next call takes again; a code that is small keeps it.
  virtual void ReleaseWeights() const {}
};

// Latent frames of a clip of `num_frames`, and back. The first throws InputError, naming `where`,
// unless num_frames = 1 + n * temporal_factor.
int64_t LatentFrames(int64_t num_frames, int64_t temporal_factor, const char* where = "video");
int64_t VideoFrames(int64_t latent_frames, int64_t temporal_factor);

}  // namespace aim
