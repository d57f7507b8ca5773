#include "aim/model/camera_conditioning.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <iterator>

#include "aim/base/error.h"
#include "aim/geometry/plucker.h"
#include "aim/tensor/shape.h"

namespace aim {
namespace {

// Where rays are seen from. Axes with x to the left and y up are the OpenCV ones turned by half a
// revolution about z.
Rigid3d WorldFromReference(const CameraConditioningOptions& options,
                           const std::vector<CameraTrack>& cameras) {
  if (options.frame == CameraFrame::kAbsolute) return {};
  const Rigid3d& world_from_camera = cameras.at(0).at(0).world_from_camera;
  if (options.axes == CameraAxes::kOpencv) return world_from_camera;
  return world_from_camera * Rigid3d{Eigen::Quaterniond(0, 0, 0, 1), Eigen::Vector3d::Zero()};
}

// [6, rows, columns]: directions and moments of the rays of one camera.
at::Tensor Rays(const Camera& camera, const Rigid3d& world_from_reference, int64_t rows,
                int64_t columns) {
  at::Tensor rays = at::empty({6, rows, columns}, at::kFloat);
  PluckerRaysInto(camera, world_from_reference, static_cast<int>(rows), static_cast<int>(columns),
                  std::span<float>(rays.data_ptr<float>(), static_cast<size_t>(rays.numel())));
  return rays;
}

// [6, T, H, W]
at::Tensor RayVideo(const CameraTrack& camera, const Rigid3d& world_from_reference,
                    const CameraGrid& grid) {
  if (camera.frames.size() == 1) {
    return Rays(camera.at(0), world_from_reference, grid.height, grid.width)
        .unsqueeze(1)
        .expand({6, grid.num_frames, grid.height, grid.width})
        .contiguous();
  }
  std::vector<at::Tensor> frames;
  for (int64_t frame = 0; frame < grid.num_frames; ++frame) {
    frames.push_back(
        Rays(camera.at(static_cast<size_t>(frame)), world_from_reference, grid.height, grid.width));
  }
  return at::stack(frames, 1);
}

// Zeros in place of the vectors of cameras that are known.
at::Tensor UnknownCameras(const DitOptions& options, const Autoencoder& autoencoder,
                          int64_t num_views, const CameraGrid& grid) {
  const int64_t latent_frames = LatentFrames(grid.num_frames, autoencoder.temporal_factor());
  if (options.camera.mode == CameraMode::kPooledLatent)
    return at::zeros({num_views, latent_frames, 1, options.camera.features});
  const int64_t patch = options.patch;
  const int64_t token_px = autoencoder.spatial_factor() * patch;
  const int64_t num_tokens = (grid.height / token_px) * (grid.width / token_px);
  return at::zeros({num_views, latent_frames, num_tokens, 6 * patch * patch});
}

// Cameras and grid as bytes.
std::string Key(const std::vector<CameraTrack>& cameras, const CameraGrid& grid) {
  std::string key;
  const auto add = [&](auto value) {
    key.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  for (const int64_t size : {grid.num_frames, grid.height, grid.width}) add(size);
  for (const CameraTrack& track : cameras) {
    add(track.frames.size());
    for (const Camera& camera : track.frames) {
      for (const int size : {camera.width, camera.height}) add(size);
      for (const double value : {camera.fx, camera.fy, camera.cx, camera.cy}) add(value);
      for (const double value : camera.world_from_camera.rotation.coeffs()) add(value);
      for (const double value : camera.world_from_camera.translation) add(value);
    }
  }
  return key;
}

}  // namespace

at::Tensor RayTokens(const DitOptions& options, const Autoencoder& autoencoder,
                     const std::vector<CameraTrack>& cameras, const CameraGrid& grid) {
  const Rigid3d world_from_reference = WorldFromReference(options.camera, cameras);
  const int64_t temporal = autoencoder.temporal_factor();
  const int64_t latent_frames = LatentFrames(grid.num_frames, temporal);
  const int64_t patch = options.patch;
  const int64_t rows = grid.height / autoencoder.spatial_factor() / patch;
  const int64_t columns = grid.width / autoencoder.spatial_factor() / patch;
  std::vector<at::Tensor> views;
  for (const CameraTrack& camera : cameras) {
    std::vector<at::Tensor> frames;
    for (int64_t latent = 0; latent < latent_frames; ++latent) {
      if (latent > 0 && camera.frames.size() == 1) {
        frames.push_back(frames[0]);
        continue;
      }
      const at::Tensor rays = Rays(camera.at(static_cast<size_t>(latent * temporal)),
                                   world_from_reference, rows * patch, columns * patch);
      frames.push_back(rays.view({6, rows, patch, columns, patch})
                           .permute({1, 3, 0, 2, 4})
                           .reshape({rows * columns, -1}));
    }
    views.push_back(at::stack(frames));
  }
  return at::stack(views);
}

at::Tensor CameraLatents(const DitOptions& options, const Autoencoder& autoencoder,
                         const std::vector<CameraTrack>& cameras, const CameraGrid& grid) {
  const Rigid3d world_from_reference = WorldFromReference(options.camera, cameras);
  std::vector<at::Tensor> views;
  for (const CameraTrack& camera : cameras) {
    const at::Tensor video = RayVideo(camera, world_from_reference, grid);
    // One clip at a time: a large autoencoder has no memory to spare.
    const auto encode = [&](int64_t first_channel) {
      return autoencoder
          .Encode(
              video.narrow(0, first_channel, 3).unsqueeze(0).contiguous().to(autoencoder.device()),
              ContentKind::kVideo)
          .to(at::kCPU);
    };
    views.push_back(at::cat({encode(0), encode(3)}, 1)[0].transpose(0, 1));
  }
  return at::stack(views).contiguous();
}

at::Tensor PoolCameraLatents(const CameraConditioningOptions& options, const at::Tensor& camera) {
  CheckShape(camera, {"B", "F", "2C", "h", "w"}, "camera");
  const int64_t area = int64_t{options.pool} * options.pool;
  if (options.features % area != 0) {
    throw ConfigError({.where = "dit.camera.features",
                       .got = std::to_string(options.features),
                       .expected = "a multiple of dit.camera.pool^2 = " + std::to_string(area),
                       .fix = ""});
  }
  return at::adaptive_avg_pool3d(camera, {options.features / area, options.pool, options.pool})
      .flatten(2)
      .unsqueeze(2);
}

at::Tensor CameraVectors(const DitOptions& options, const Autoencoder& autoencoder,
                         const std::vector<CameraTrack>& cameras, const CameraGrid& grid) {
  if (options.camera.mode == CameraMode::kNone) return {};
  if (std::ranges::any_of(cameras, [](const CameraTrack& track) { return track.frames.empty(); }))
    return UnknownCameras(options, autoencoder, std::ssize(cameras), grid);
  if (options.camera.mode == CameraMode::kRayToken)
    return RayTokens(options, autoencoder, cameras, grid);
  return PoolCameraLatents(options.camera, CameraLatents(options, autoencoder, cameras, grid));
}

at::Tensor CameraCache::Get(const DitOptions& options, const Autoencoder& autoencoder,
                            const std::vector<CameraTrack>& cameras, const CameraGrid& grid) {
  constexpr size_t kMaxEntries = 64;
  const std::string key = Key(cameras, grid);
  {
    const std::lock_guard lock(mutex_);
    const auto found = vectors_.find(key);
    if (found != vectors_.end()) return found->second;
  }
  const at::Tensor vectors = CameraVectors(options, autoencoder, cameras, grid);
  const std::lock_guard lock(mutex_);
  if (vectors_.size() >= kMaxEntries) vectors_.clear();
  vectors_[key] = vectors;
  return vectors;
}

}  // namespace aim
