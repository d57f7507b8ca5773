// A clip as the tensors a network reads: latents of every segment, camera vectors, text rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "aim/codec/action_image.h"
#include "aim/codec/clip.h"
#include "aim/model/autoencoder.h"
#include "aim/model/camera_conditioning.h"
#include "aim/model/dit_options.h"
#include "aim/text/text_encoder.h"

namespace aim {

struct EncodedClip {
  at::Tensor latents;  // [V, 2, C, T_l, h, w] float32; index 1: video, action
  at::Tensor camera;   // [V, T_l, P, K] float32; undefined if the model takes no cameras
  at::Tensor text;     // [L, D] float32
};

// RGB frames [3, T, H, W] in [-1, 1] of the first `num_frames` frames of a view.
at::Tensor VideoTensor(const ClipView& view, int height, int width, int num_frames);

// Action images [3, T, H, W] in [-1, 1] of `poses` in one view.
at::Tensor ActionTensor(const std::vector<ToolPose>& poses, const CameraTrack& camera,
                        const ActionImageSpec& spec);

// Bytes [H, W, 3] per frame of a video [3, T, H, W] in [-1, 1] (clamped, rounded).
std::vector<std::vector<uint8_t>> VideoBytes(const at::Tensor& video);

// What decides how a clip is encoded.
struct ClipEncoder {
  const Autoencoder* autoencoder = nullptr;
  const TextEncoder* text = nullptr;
  DitOptions dit;
  ActionImageSpec spec;
  int num_frames = 17;             // T; T_l = 1 + (T - 1) / temporal_factor
  CameraCache* cameras = nullptr;  // remembers camera vectors; may be absent

  // Frames that a view or the poses lack leave zero latents: a policy knows only the first, a video
  // without actions no pose at all. With fewer poses than num_frames only the first latent of the
  // actions is encoded (it holds frame 0 alone). Throws InputError for a size that the model was
  // not made for.
  EncodedClip Encode(const Clip& clip) const;
};

}  // namespace aim
