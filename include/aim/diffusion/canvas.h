// The one currency of diffusion: latent segments of all views on one latent time axis.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "aim/model/autoencoder.h"
#include "aim/model/dit.h"
#include "aim/recipe/mode.h"

namespace aim {

struct CanvasSegment {
  int view = 0;
  ContentKind kind = ContentKind::kVideo;
  int64_t begin = 0;   // first latent frame in the canvas
  int64_t length = 0;  // latent frames
};

// What a canvas of one mode looks like: view-major, video before action
// (docs/reference/method.md 2.1).
struct CanvasPlan {
  std::vector<CanvasSegment> segments;
  CanvasLayout layout;
  std::vector<bool> given;  // one a latent frame: true = clean condition, never updated, no loss

  int64_t num_frames() const { return static_cast<int64_t>(given.size()); }
};

struct CanvasShape {
  int num_views = 2;
  int64_t latent_frames = 5;  // of a whole segment, 1 + (T - 1) / 4
  int64_t height = 8;         // latent pixels
  int64_t width = 8;
};

// Of encoded clips, [B, V, 2, C, T_l, h, w].
CanvasShape ShapeOfCanvas(const at::Tensor& latents);

// `first_pose_given` false frees the first latent of every action segment: the pose is unknown.
CanvasPlan PlanCanvas(const Mode& mode, const CanvasShape& shape, const DitOptions& options,
                      bool first_pose_given = true);

// [F] float32, 1 where given.
at::Tensor GivenMask(const CanvasPlan& plan);

// Gathers the canvas from per-segment latents.
//
//   latents  [B, V, 2, C, T_l, h, w]  all segments, index 2 = video, action
//   returns  [B, C, F, h, w]
at::Tensor GatherCanvas(const CanvasPlan& plan, const at::Tensor& latents);

// Camera vectors of the canvas: every segment repeats its view's.
//
//   camera   [B, V, T_l, P, K]
//   returns  [B, F, P, K]
at::Tensor GatherCamera(const CanvasPlan& plan, const at::Tensor& camera);

// [B, F] timesteps (1000 sigma), 0 for given frames if the model marks them so, else [B, 1].
//   sigma [B] float32;  given [B, F] float32, 1 where given
at::Tensor CanvasTimesteps(const DitOptions& options, const at::Tensor& sigma,
                           const at::Tensor& given);

// The same for timesteps that are known: timestep [B] float32.
at::Tensor MarkGiven(const DitOptions& options, const at::Tensor& timestep,
                     const at::Tensor& given);

}  // namespace aim
