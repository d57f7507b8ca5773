#include "aim/model/clip_encoding.h"

#include <ATen/ATen.h>

#include "aim/base/error.h"
#include "aim/geometry/plucker.h"

namespace aim {
namespace {

// Latents of the frames there are: all of them, or only the first.
int UsableFrames(int available, int num_frames) {
  return available >= num_frames ? num_frames : std::min(available, 1);
}

}  // namespace

at::Tensor VideoTensor(const ClipView& view, int height, int width, int num_frames) {
  AIM_CHECK(num_frames <= view.num_frames);
  const at::Tensor bytes = at::from_blob(const_cast<uint8_t*>(view.rgb.data()),
                                         {num_frames, height, width, 3}, at::kByte);
  return bytes.permute({3, 0, 1, 2}).to(at::kFloat).contiguous().div_(127.5).sub_(1.0);
}

at::Tensor ActionTensor(const std::vector<ToolPose>& poses, const CameraTrack& camera,
                        const ActionImageSpec& spec) {
  const Camera& first = camera.at(0);
  at::Tensor video =
      at::empty({3, static_cast<int64_t>(poses.size()), first.height, first.width}, at::kFloat);
  DrawActionVideoInto(
      poses, camera, spec,
      std::span<float>(video.data_ptr<float>(), static_cast<size_t>(video.numel())));
  return video.mul_(2.0).sub_(1.0);
}

std::vector<std::vector<uint8_t>> VideoBytes(const at::Tensor& video) {
  const at::Tensor bytes = video.to(at::kCPU)
                               .clamp(-1, 1)
                               .add(1)
                               .mul(127.5)
                               .round()
                               .to(at::kByte)
                               .permute({1, 2, 3, 0})
                               .contiguous();
  std::vector<std::vector<uint8_t>> frames;
  const int64_t size = bytes.numel() / std::max<int64_t>(1, bytes.size(0));
  for (int64_t frame = 0; frame < bytes.size(0); ++frame) {
    const uint8_t* begin = bytes.const_data_ptr<uint8_t>() + frame * size;
    frames.emplace_back(begin, begin + size);
  }
  return frames;
}

at::Tensor RayTokens(const std::vector<CameraTrack>& cameras, int64_t latent_frames,
                     int64_t temporal_factor, int64_t rows, int64_t columns, int64_t patch) {
  const Rigid3d& world_from_reference = cameras.at(0).at(0).world_from_camera;
  std::vector<at::Tensor> views;
  for (const CameraTrack& camera : cameras) {
    std::vector<at::Tensor> frames;
    for (int64_t latent = 0; latent < latent_frames; ++latent) {
      if (latent > 0 && camera.frames.size() == 1) {
        frames.push_back(frames[0]);
        continue;
      }
      at::Tensor rays = at::empty({6, rows * patch, columns * patch}, at::kFloat);
      PluckerRaysInto(camera.at(static_cast<size_t>(latent * temporal_factor)),
                      world_from_reference, static_cast<int>(rows * patch),
                      static_cast<int>(columns * patch),
                      std::span<float>(rays.data_ptr<float>(), static_cast<size_t>(rays.numel())));
      frames.push_back(rays.view({6, rows, patch, columns, patch})
                           .permute({1, 3, 0, 2, 4})
                           .reshape({rows * columns, -1}));
    }
    views.push_back(at::stack(frames));
  }
  return at::stack(views);
}

EncodedClip ClipEncoder::Encode(const Clip& clip) const {
  const int64_t temporal = autoencoder->temporal_factor();
  const int64_t spatial = autoencoder->spatial_factor();
  const int64_t latent_frames = LatentFrames(num_frames, temporal, "num_frames");
  const int64_t h = clip.height / spatial, w = clip.width / spatial;
  EncodedClip encoded;
  encoded.latents = at::zeros(
      {static_cast<int64_t>(clip.views.size()), 2, autoencoder->channels(), latent_frames, h, w},
      at::kFloat);
  std::vector<CameraTrack> cameras;
  for (size_t v = 0; v < clip.views.size(); ++v) {
    const ClipView& view = clip.views[v];
    cameras.push_back(view.camera);
    const auto put = [&](int64_t kind, const at::Tensor& latent) {
      encoded.latents.select(0, static_cast<int64_t>(v))
          .select(0, kind)
          .narrow(1, 0, latent.size(2))
          .copy_(latent[0]);
    };
    const int video_frames = UsableFrames(view.num_frames, num_frames);
    if (video_frames > 0) {
      const at::Tensor video = VideoTensor(view, clip.height, clip.width, video_frames);
      put(0, autoencoder->Encode(video.unsqueeze(0), ContentKind::kVideo));
    }
    const int pose_frames = UsableFrames(static_cast<int>(clip.poses.size()), num_frames);
    if (pose_frames > 0) {
      const std::vector<ToolPose> poses(clip.poses.begin(), clip.poses.begin() + pose_frames);
      put(1, autoencoder->Encode(ActionTensor(poses, view.camera, spec).unsqueeze(0),
                                 ContentKind::kAction));
    }
  }
  if (dit.camera.mode == "ray_token") {
    encoded.camera =
        RayTokens(cameras, latent_frames, temporal, h / dit.patch, w / dit.patch, dit.patch);
  }
  encoded.text = text->Encode(clip.prompt);
  return encoded;
}

}  // namespace aim
