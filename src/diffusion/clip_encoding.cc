#include "aim/diffusion/clip_encoding.h"

#include <ATen/ATen.h>

#include "aim/base/error.h"

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

EncodedClip ClipEncoder::Encode(const Clip& clip) const {
  const int64_t temporal = autoencoder->temporal_factor();
  const int64_t spatial = autoencoder->spatial_factor();
  const c10::Device device = autoencoder->device();
  const int64_t latent_frames = LatentFrames(num_frames, temporal, "num_frames");
  const int64_t h = clip.height / spatial, w = clip.width / spatial;
  EncodedClip encoded;
  encoded.latents = at::zeros(
      {static_cast<int64_t>(clip.views.size()), 2, autoencoder->channels(), latent_frames, h, w},
      at::kFloat);
  const std::vector<CameraTrack> tracks = CamerasOf(clip);
  for (size_t v = 0; v < clip.views.size(); ++v) {
    const ClipView& view = clip.views[v];
    const auto put = [&](int64_t kind, const at::Tensor& latent) {
      encoded.latents.select(0, static_cast<int64_t>(v))
          .select(0, kind)
          .narrow(1, 0, latent.size(2))
          .copy_(latent[0]);
    };
    const int video_frames = UsableFrames(view.num_frames, num_frames);
    if (video_frames > 0) {
      const at::Tensor video = VideoTensor(view, clip.height, clip.width, video_frames);
      put(0, autoencoder->Encode(video.unsqueeze(0).to(device), ContentKind::kVideo));
    }
    const int pose_frames = UsableFrames(static_cast<int>(clip.poses.size()), num_frames);
    if (pose_frames > 0) {
      const std::vector<ToolPose> poses(clip.poses.begin(), clip.poses.begin() + pose_frames);
      const at::Tensor video = ActionTensor(poses, view.camera, spec);
      put(1, autoencoder->Encode(video.unsqueeze(0).to(device), ContentKind::kAction));
    }
  }
  const CameraGrid grid{num_frames, clip.height, clip.width};
  encoded.camera = cameras != nullptr ? cameras->Get(dit, *autoencoder, tracks, grid)
                                      : CameraVectors(dit, *autoencoder, tracks, grid);
  encoded.text = text->Encode(clip.prompt);
  return encoded;
}

}  // namespace aim
