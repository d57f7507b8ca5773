// Action images back to metric poses: a robust rigid fit in all views. DESIGN.md section 3.
#pragma once

#include <span>
#include <vector>

#include "aim/codec/action_image.h"
#include "aim/codec/plan.h"

namespace aim {

struct DecoderOptions {
  ActionImageSpec spec;
  bool temporal_prior = true;       // fills frames of low confidence from their neighbours
  double min_confidence = 0.2;      // below it a frame counts as low
};

// Pictures of all views of one frame: view v is `images[v]` [3, H_v, W_v] in [0, 1].
DecodedPose DecodeFrame(std::span<const std::span<const float>> images,
                        std::span<const Camera> cameras, const DecoderOptions& options = {});

// The videos of all views: view v is `videos[v]` [3, T, H_v, W_v] in [0, 1].
std::vector<DecodedPose> DecodeVideo(std::span<const std::span<const float>> videos, int num_frames,
                                     std::span<const CameraTrack> cameras,
                                     const DecoderOptions& options = {});

}  // namespace aim
