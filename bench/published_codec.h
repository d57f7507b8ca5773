// The published rules of action images, written with ATen operators as a PyTorch program runs them
// (docs/reference/method.md 1.3 and 1.4): what the benchmark compares with. Square pictures;
// float32.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "aim/geometry/camera.h"

namespace aim::bench {

// docs/reference/method.md 1.3: centres [N, 3, 2] (u, v), openness [N] -> pictures [N, H, W, 3].
inline at::Tensor PublishedRasterizer(const at::Tensor& centres, const at::Tensor& openness,
                                      int64_t size_px) {
  const double sigma = 0.05 * static_cast<double>(size_px);
  const at::Tensor grid = at::arange(size_px, centres.options());
  const at::Tensor dx =
      grid.view({1, 1, size_px, 1}) - centres.select(2, 0).unsqueeze(1).unsqueeze(1);
  const at::Tensor dy =
      grid.view({1, size_px, 1, 1}) - centres.select(2, 1).unsqueeze(1).unsqueeze(1);
  at::Tensor picture = at::exp(-(dx.square() + dy.square()) / (2 * sigma * sigma));
  const at::Tensor blue = picture.select(3, 2);
  const at::Tensor background =
      at::where(openness > 0.5, 0.25, 0.0).to(at::kFloat).view({-1, 1, 1});
  blue.copy_(at::where(blue <= 0.25, background, blue));
  return picture;
}

inline at::Tensor ToTensor(const Eigen::MatrixXd& matrix) {
  at::Tensor tensor = at::empty({matrix.rows(), matrix.cols()}, at::kFloat);
  for (Eigen::Index r = 0; r < matrix.rows(); ++r) {
    for (Eigen::Index c = 0; c < matrix.cols(); ++c)
      tensor[r][c] = static_cast<float>(matrix(r, c));
  }
  return tensor;
}

struct TensorCamera {
  at::Tensor rotation, centre, intrinsics;  // world from camera
};

inline TensorCamera ToTensors(const Camera& camera) {
  Eigen::Matrix3d intrinsics;
  intrinsics << camera.fx, 0, camera.cx, 0, camera.fy, camera.cy, 0, 0, 1;
  return {ToTensor(camera.world_from_camera.rotation.toRotationMatrix()),
          ToTensor(camera.world_from_camera.translation).squeeze(1), ToTensor(intrinsics)};
}

// Bilinear samples of a square h [S, S] at indices x, y [n].
inline at::Tensor Sample(const at::Tensor& h, at::Tensor x, at::Tensor y) {
  const int64_t last = h.size(0) - 1;
  x = x.clamp(0, last);
  y = y.clamp(0, last);
  const at::Tensor grid = at::stack({2 * x / last - 1, 2 * y / last - 1}, -1);
  return at::grid_sampler(h.unsqueeze(0).unsqueeze(0), grid.view({1, 1, -1, 2}), 0, 1, true)
      .view({-1});
}

// Candidates along the first view's ray: `count` distances from `near_m` to `far_m`.
struct RayDepths {
  double near_m, far_m;
  int64_t count;
};

// docs/reference/method.md 1.4, step 1: centroids [V, 2] (u, v) of maps [V, S, S].
inline at::Tensor PublishedCentroids(const at::Tensor& maps) {
  const at::Tensor grid = at::arange(maps.size(1), maps.options()) + 0.5;
  const at::Tensor weights = maps / (maps.sum({1, 2}, true) + 1e-8);
  return at::stack({(weights * grid.view({1, 1, -1})).sum({1, 2}),
                    (weights * grid.view({1, -1, 1})).sum({1, 2})},
                   1);
}

// docs/reference/method.md 1.4 for one anchor: maps [V, S, S] -> point [3].
inline at::Tensor PublishedPoint(const at::Tensor& maps, const std::vector<TensorCamera>& cameras,
                                 const RayDepths& depths) {
  const at::Tensor centroids = PublishedCentroids(maps);
  const TensorCamera& first = cameras[0];
  const at::Tensor& k = first.intrinsics;
  at::Tensor direction = at::stack(
      {(centroids[0][0] - k[0][2]) / k[0][0], (centroids[0][1] - k[1][2]) / k[1][1], at::ones({})});
  direction = first.rotation.matmul(direction);
  direction = direction / (direction.norm() + 1e-8);
  const at::Tensor distances =
      at::linspace(depths.near_m, depths.far_m, depths.count, maps.options());
  const at::Tensor points = first.centre + distances.unsqueeze(1) * direction;
  at::Tensor score = at::ones({depths.count}, maps.options());
  for (size_t view = 0; view < cameras.size(); ++view) {
    const at::Tensor in_camera = (points - cameras[view].centre).matmul(cameras[view].rotation);
    const at::Tensor pixels = in_camera.matmul(cameras[view].intrinsics.t());
    const at::Tensor depth = in_camera.select(1, 2) + 1e-8;
    score = score * Sample(maps[static_cast<int64_t>(view)], pixels.select(1, 0) / depth,
                           pixels.select(1, 1) / depth);
  }
  return points[score.argmax()];
}

// docs/reference/method.md 1.4: bytes [V, S, S, 3] -> tip, unit axis, and 1 for "closed" [7].
inline at::Tensor PublishedDecoder(const at::Tensor& bytes,
                                   const std::vector<TensorCamera>& cameras,
                                   const RayDepths& depths) {
  const at::Tensor maps = bytes.to(at::kFloat) / 255.0;
  const at::Tensor tip = PublishedPoint(maps.select(3, 0), cameras, depths);
  const at::Tensor side = PublishedPoint(maps.select(3, 1), cameras, depths);
  const at::Tensor closed = (bytes.select(3, 2) > 128).any();
  const at::Tensor axis = side - tip;
  return at::cat({tip, axis / (axis.norm() + 1e-8), closed.to(at::kFloat).view({1})});
}

}  // namespace aim::bench
