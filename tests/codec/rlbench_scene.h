// RLBench's front and overhead cameras, golden poses, pictures and noise for tests of the codec.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>
#include <vector>

#include "aim/base/rng.h"
#include "aim/codec/action_image.h"
#include "support/scene.h"

namespace aim::testing {

// Axes x left, y up, z forward; 40 degrees of view. docs/reference/formats.md 1.3.
inline Camera RlbenchCameraAt(const Eigen::Vector3d& position, const Eigen::Vector3d& left,
                              const Eigen::Vector3d& forward, int size_px) {
  Eigen::Matrix4d world_from_rlbench = Eigen::Matrix4d::Identity();
  world_from_rlbench.topRightCorner<3, 1>() = position;
  world_from_rlbench.topLeftCorner<3, 3>() << left, forward.cross(left), forward;
  const double focal = -size_px / (2.0 * std::tan(20.0 * std::numbers::pi / 180.0));
  Eigen::Matrix3d intrinsics;
  intrinsics << focal, 0, 0.5 * size_px, 0, focal, 0.5 * size_px, 0, 0, 1;
  return CameraFromRlbench(intrinsics, world_from_rlbench, size_px, size_px);
}

inline Camera FrontCamera(int size_px) {
  const double tilt_rad = 25.0 * std::numbers::pi / 180.0;
  return RlbenchCameraAt({1.35, 0, 1.58}, {0, -1, 0}, {-std::cos(tilt_rad), 0, -std::sin(tilt_rad)},
                         size_px);
}

inline Camera OverheadCamera(int size_px) {
  const double tilt_rad = 25.0 * std::numbers::pi / 180.0;
  return RlbenchCameraAt({-0.175, 0, 2.43}, {0, 1, 0}, {std::sin(tilt_rad), 0, -std::cos(tilt_rad)},
                         size_px);
}

// Poses P1 and P2 of docs/reference/method.md section 9.
inline ToolPose GoldenPose1() {
  return {{Eigen::Quaterniond(0.1209, 0, 0.9927, 0).normalized(), {0.30, 0.05, 1.05}}, 1.0};
}
inline ToolPose GoldenPose2() {
  return {{Eigen::Quaterniond(0.1419, 0.9577, -0.1989, 0.1526).normalized(), {0.25, -0.10, 0.95}},
          0.0};
}

// Any rotation, anywhere over the table.
inline ToolPose AnyToolPose(Rng& rng) {
  const Eigen::Vector3d tip(rng.Uniform(0.0, 0.5), rng.Uniform(-0.25, 0.25),
                            rng.Uniform(0.8, 1.25));
  return {{RandomRotation(rng), tip}, rng.Uniform() < 0.5 ? 0.0 : 1.0};
}

using Picture = std::vector<float>;  // [3, H, W]

inline Picture Draw(const ToolPose& pose, const Camera& camera) {
  Picture picture(3 * static_cast<size_t>(camera.width) * static_cast<size_t>(camera.height));
  DrawActionImageInto(pose, camera, {}, picture);
  return picture;
}

inline std::vector<Picture> DrawViews(const ToolPose& pose, const std::vector<Camera>& cameras) {
  std::vector<Picture> pictures;
  for (const Camera& camera : cameras) pictures.push_back(Draw(pose, camera));
  return pictures;
}

template <class T>
std::vector<std::span<const T>> Spans(const std::vector<std::vector<T>>& pictures) {
  return {pictures.begin(), pictures.end()};
}

// Whether all three anchors lie in the picture.
inline bool SeesAllAnchors(const Camera& camera, const ToolPose& pose) {
  for (const Eigen::Vector3d& anchor : AnchorPoints(pose)) {
    const auto projection = Project(camera, anchor);
    if (!projection || projection->uv.minCoeff() < 0) return false;
    if (projection->uv.x() > camera.width - 1 || projection->uv.y() > camera.height - 1)
      return false;
  }
  return true;
}

// White Gaussian noise on a torus, blurred by a Gaussian and rescaled to the given deviation.
class SmoothNoise {
 public:
  SmoothNoise(int size_px, double blur_px, double deviation, Rng& rng) : size_px_(size_px) {
    const int radius = static_cast<int>(std::ceil(4 * blur_px));
    std::vector<float> taps;
    for (int i = -radius; i <= radius; ++i) {
      taps.push_back(
          static_cast<float>(std::exp(-0.5 * i * i / std::max(1e-9, blur_px * blur_px))));
    }
    const size_t count = static_cast<size_t>(size_px) * static_cast<size_t>(size_px);
    std::vector<float> white(count), rows(count, 0.0f);
    values_.assign(count, 0.0f);
    for (float& value : white) value = static_cast<float>(rng.Normal());
    for (int tap = -radius; tap <= radius; ++tap) {
      for (int y = 0; y < size_px; ++y) {
        for (int x = 0; x < size_px; ++x) {
          rows[Index(x, y)] += taps[static_cast<size_t>(tap + radius)] * white[Index(x + tap, y)];
        }
      }
    }
    for (int tap = -radius; tap <= radius; ++tap) {
      for (int y = 0; y < size_px; ++y) {
        for (int x = 0; x < size_px; ++x) {
          values_[Index(x, y)] += taps[static_cast<size_t>(tap + radius)] * rows[Index(x, y + tap)];
        }
      }
    }
    double squares = 0;
    for (const float value : values_) squares += static_cast<double>(value * value);
    const double scale = deviation / std::sqrt(squares / static_cast<double>(count));
    for (float& value : values_) value = static_cast<float>(scale * static_cast<double>(value));
  }

  // Adds the noise, shifted at random and independently in each plane.
  void AddTo(Picture& picture, Rng& rng) const {
    const size_t count = values_.size();
    for (size_t plane = 0; plane < picture.size() / count; ++plane) {
      const int dx = static_cast<int>(rng.UniformInt(size_px_)),
                dy = static_cast<int>(rng.UniformInt(size_px_));
      const float sign = rng.Uniform() < 0.5 ? -1.0f : 1.0f;
      for (int y = 0; y < size_px_; ++y) {
        for (int x = 0; x < size_px_; ++x) {
          picture[plane * count + Index(x, y)] += sign * values_[Index(x + dx, y + dy)];
        }
      }
    }
  }

 private:
  size_t Index(int x, int y) const {
    const auto wrap = [&](int i) { return static_cast<size_t>((i + 2 * size_px_) % size_px_); };
    return wrap(y) * static_cast<size_t>(size_px_) + wrap(x);
  }

  int size_px_;
  std::vector<float> values_;
};

inline double Percentile(std::vector<double> values, double fraction) {
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<size_t>(std::lround(fraction * last))];
}

}  // namespace aim::testing
