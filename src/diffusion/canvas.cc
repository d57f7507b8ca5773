#include "aim/diffusion/canvas.h"

#include <ATen/ATen.h>

#include "aim/base/error.h"

namespace aim {
namespace {

void AppendSegment(CanvasPlan& plan, const SegmentRule& rule, Given given, int view,
                   ContentKind kind, const CanvasShape& shape, const DitOptions& options) {
  if (!rule.present) return;
  const int64_t begin = plan.num_frames();
  const int64_t length = rule.first_only ? 1 : shape.latent_frames;
  plan.segments.push_back({view, kind, begin, length});
  for (int64_t frame = 0; frame < length; ++frame) {
    plan.given.push_back(given == Given::kAll || (given == Given::kFirst && frame == 0));
    plan.layout.frame_positions.push_back(
        options.frame_positions == FramePositions::kSegment ? frame : begin + frame);
    plan.layout.segment_ids.push_back(2 * view + (kind == ContentKind::kAction ? 1 : 0));
  }
}

}  // namespace

CanvasShape ShapeOfCanvas(const at::Tensor& latents) {
  return {static_cast<int>(latents.size(1)), latents.size(4), latents.size(5), latents.size(6)};
}

CanvasPlan PlanCanvas(const Mode& mode, const CanvasShape& shape, const DitOptions& options,
                      bool first_pose_given) {
  CanvasPlan plan;
  plan.layout.height = shape.height;
  plan.layout.width = shape.width;
  const Given action_given =
      !first_pose_given && mode.action.given == Given::kFirst ? Given::kNone : mode.action.given;
  for (int view = 0; view < shape.num_views; ++view) {
    const Given video_given = view == 0 ? mode.first_view_video : mode.video.given;
    AppendSegment(plan, mode.video, video_given, view, ContentKind::kVideo, shape, options);
    AppendSegment(plan, mode.action, action_given, view, ContentKind::kAction, shape, options);
  }
  return plan;
}

at::Tensor GivenMask(const CanvasPlan& plan) {
  at::Tensor mask = at::zeros({plan.num_frames()}, at::kFloat);
  for (int64_t frame = 0; frame < plan.num_frames(); ++frame) {
    if (plan.given[static_cast<size_t>(frame)]) mask.data_ptr<float>()[frame] = 1.0f;
  }
  return mask;
}

at::Tensor GatherCanvas(const CanvasPlan& plan, const at::Tensor& latents) {
  AIM_CHECK(latents.dim() == 7 && latents.size(2) == 2);
  std::vector<at::Tensor> parts;
  for (const CanvasSegment& segment : plan.segments) {
    const int64_t kind = segment.kind == ContentKind::kAction ? 1 : 0;
    parts.push_back(latents.select(1, segment.view).select(1, kind).narrow(2, 0, segment.length));
  }
  return at::cat(parts, 2);
}

at::Tensor GatherCamera(const CanvasPlan& plan, const at::Tensor& camera) {
  AIM_CHECK(camera.dim() == 5);
  std::vector<at::Tensor> parts;
  for (const CanvasSegment& segment : plan.segments) {
    parts.push_back(camera.select(1, segment.view).narrow(1, 0, segment.length));
  }
  return at::cat(parts, 1);
}

at::Tensor CanvasTimesteps(const DitOptions& options, const at::Tensor& sigma,
                           const at::Tensor& given) {
  return MarkGiven(options, sigma.to(at::kFloat) * 1000.0, given);
}

at::Tensor MarkGiven(const DitOptions& options, const at::Tensor& timestep,
                     const at::Tensor& given) {
  const at::Tensor column = timestep.unsqueeze(1);
  return options.timestep_mode == TimestepMode::kGivenZero ? column * (1 - given) : column;
}

}  // namespace aim
