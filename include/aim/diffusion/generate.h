// From a clip's known parts to the whole clip: encode, denoise, decode, and back to metric poses.
#pragma once

#include <optional>
#include <vector>

#include "aim/codec/decoder.h"
#include "aim/diffusion/clip_encoding.h"
#include "aim/diffusion/sampler.h"

namespace aim {

// The parts of a model that generation needs; borrowed.
struct GeneratorModel {
  const Dit* dit = nullptr;
  const Autoencoder* autoencoder = nullptr;
  const TextEncoder* text = nullptr;
  ActionImageSpec spec;
  int num_frames = 17;
  CameraCache* cameras = nullptr;  // remembers camera vectors from call to call; may be absent
  bool offload = false;  // autoencoder and text encoder give their memory back before denoising
};

// Wall times of a generation.
struct GenerateTimes {
  double encode_s = 0;  // pictures, cameras and text into latents
  double denoise_s = 0;
  double decode_s = 0;  // latents into pixels, action images into poses
};

struct GenerateOptions {
  SamplerOptions sampler;
  bool first_pose_given = true;
  bool decode_video = true;  // pixels of generated video segments
  bool keep_latents = false;
  DecoderOptions decoder;
  GenerateTimes* times = nullptr;  // filled if given; costs a wait for the device
};

struct GeneratedClip {
  std::vector<at::Tensor> videos;  // per view [3, T, H, W] in [-1, 1]; empty if not generated
  std::vector<at::Tensor>
      action_videos;               // per view [3, T, H, W] in [-1, 1]; empty if not generated
  std::vector<DecodedPose> poses;  // one a frame; empty if no actions were generated
  at::Tensor latents;              // if kept: [C, F, h, w] float32 on the CPU, frames not given
};

// Where the noise of one clip comes from: rng.Derive(row, "noise"), or, if
// options.sampler.passes.noise is "torch", TorchNoise of seed rng.seed() + row.
struct NoiseStream {
  Rng rng;
  uint64_t row = 0;
};

// Rows 0, 1, ... of one.
std::vector<NoiseStream> NoiseRows(const Rng& rng, size_t count);

// Generates what `mode` leaves open in each clip (all of one size and number of views; the cameras
// and the prompt of each are used). Only segments the mode asks for are denoised, and only those
// that were not given are decoded. `noise` is one a clip: a batch gives what single clips give, to
// the rounding of matrix products of other shapes.
std::vector<GeneratedClip> Generate(const GeneratorModel& model, const Mode& mode,
                                    const std::vector<Clip>& clips, const GenerateOptions& options,
                                    const std::vector<NoiseStream>& noise);
inline std::vector<GeneratedClip> Generate(const GeneratorModel& model, const Mode& mode,
                                           const std::vector<Clip>& clips,
                                           const GenerateOptions& options, const Rng& rng) {
  return Generate(model, mode, clips, options, NoiseRows(rng, clips.size()));
}

// Poses of action videos, one a view [3, T, H, W] in [-1, 1].
std::vector<DecodedPose> DecodeActionVideos(const std::vector<at::Tensor>& action_videos,
                                            const std::vector<ClipView>& views,
                                            const DecoderOptions& options);

// Peak signal-to-noise ratio in dB of pictures in [-1, 1], over all elements.
double Psnr(const at::Tensor& a, const at::Tensor& b);

}  // namespace aim
