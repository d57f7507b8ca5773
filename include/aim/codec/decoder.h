// Action images back to metric poses: a robust rigid fit in all views.
// docs/reference/method.md 1.6.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "aim/codec/action_image.h"
#include "aim/codec/plan.h"

namespace aim {

struct DecoderOptions {
  ActionImageSpec spec;
  bool temporal_prior = true;   // fills frames of low confidence from their neighbours
  double min_confidence = 0.2;  // below it a frame counts as low
};

// The pose whose three anchors, projected into all views, best explain the blobs; the exact inverse
// of DrawActionImageInto on its pictures. Views may differ in size.
//
// Each blob is located by a matched filter and a least-squares fit of the Gaussian to the pixels
// around it; B's pedestal never enters. The pose is a robust least-squares fit on SE(3), started
// from triangulated blobs. Needs two views that see one common anchor, and four blobs in all; with
// less, with one view, or when two poses explain the blobs equally well, the answer is not
// `decodable` and `visible` still says which blobs were found. Openness is the median of B over
// all views divided by the pedestal, and is given either way.
//
// Confidence is 1 / (1 + e / 10 mm) times the share of expected blobs that agree, where e is the
// error of the anchors that the noise of the pictures and the blobs' disagreement predict.
//
// Throws InputError if the numbers of pictures, pixels and cameras contradict each other.
//
// Pictures of all views of one frame: view v is `images[v]` [3, H_v, W_v] in [0, 1].
DecodedPose DecodeFrame(std::span<const std::span<const float>> images,
                        std::span<const Camera> cameras, const DecoderOptions& options = {});

// The same from bytes as image and video files hold them: view v is `images[v]` [H_v, W_v, 3].
DecodedPose DecodeFrame(std::span<const std::span<const uint8_t>> images,
                        std::span<const Camera> cameras, const DecoderOptions& options = {});

// The videos of all views: view v is `videos[v]` [3, T, H_v, W_v] in [0, 1]. With
// `temporal_prior`, frames that were not decoded or whose confidence is below `min_confidence` get
// a pose interpolated between their confident neighbours (held at the ends) and are marked
// `from_prior`; confident frames are never touched.
std::vector<DecodedPose> DecodeVideo(std::span<const std::span<const float>> videos, int num_frames,
                                     std::span<const CameraTrack> cameras,
                                     const DecoderOptions& options = {});

// The same from bytes: view v is `videos[v]` [T, H_v, W_v, 3].
std::vector<DecodedPose> DecodeVideo(std::span<const std::span<const uint8_t>> videos,
                                     int num_frames, std::span<const CameraTrack> cameras,
                                     const DecoderOptions& options = {});

// The temporal prior of DecodeVideo by itself, for frames that were decoded one by one.
void FillFromNeighbours(std::vector<DecodedPose>& frames, double min_confidence);

}  // namespace aim
