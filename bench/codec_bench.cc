// The codec against the published rules as a PyTorch program runs them, on the same pictures and
// one thread. tests/codec/published_codec_test.cc proves the rules. Run: bin/codec_bench [repeats]
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numbers>
#include <vector>

#include "aim/base/rng.h"
#include "aim/codec/decoder.h"
#include "bench/published_codec.h"

namespace {

using aim::Camera;
using aim::ToolPose;

constexpr int kSizePx = 512;
constexpr int kDepths = 512;

// RLBench's front and overhead cameras: eye and tilt below the horizon, looking along -x or +x.
Camera CameraAbove(const Eigen::Vector3d& eye, double tilt_deg, double along_x) {
  const double tilt_rad = tilt_deg * std::numbers::pi / 180;
  const Eigen::Vector3d z(along_x * std::cos(tilt_rad), 0, -std::sin(tilt_rad));
  const Eigen::Vector3d x = z.cross(Eigen::Vector3d::UnitZ()).normalized();
  Eigen::Matrix3d rotation;
  rotation << x, z.cross(x), z;
  const double focal = 0.5 * kSizePx / std::tan(20 * std::numbers::pi / 180);
  return {kSizePx,
          kSizePx,
          focal,
          focal,
          0.5 * kSizePx,
          0.5 * kSizePx,
          {Eigen::Quaterniond(rotation).normalized(), eye}};
}

std::vector<ToolPose> RandomPoses(int count) {
  aim::Rng rng(1);
  std::vector<ToolPose> poses;
  for (int i = 0; i < count; ++i) {
    const Eigen::Quaterniond rotation(rng.Normal(), rng.Normal(), rng.Normal(), rng.Normal());
    const Eigen::Vector3d tip(rng.Uniform(0.1, 0.4), rng.Uniform(-0.2, 0.2),
                              rng.Uniform(0.85, 1.2));
    poses.push_back({{rotation.normalized(), tip}, i % 2 == 0 ? 1.0 : 0.0});
  }
  return poses;
}

// Median milliseconds of one call of each work. They take turns, so that other load on the machine
// falls on all alike; a turn is four calls, of which the last is timed: the published rules'
// temporaries push everything else out of the caches, and it takes a few calls to come back.
std::vector<double> MedianMs(int repeats, const std::vector<std::function<void()>>& works) {
  std::vector<std::vector<double>> times_ms(works.size());
  for (int i = -1; i < repeats; ++i) {  // the first round only warms up
    for (size_t k = 0; k < works.size(); ++k) {
      for (int warm_up = 0; warm_up < 3; ++warm_up) works[k]();
      const auto start = std::chrono::steady_clock::now();
      works[k]();
      const std::chrono::duration<double, std::milli> taken =
          std::chrono::steady_clock::now() - start;
      if (i >= 0) times_ms[k].push_back(taken.count());
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& times : times_ms) {
    std::nth_element(times.begin(), times.begin() + repeats / 2, times.end());
    medians.push_back(times[static_cast<size_t>(repeats / 2)]);
  }
  return medians;
}

void BenchRasterizer(int repeats, const std::vector<ToolPose>& poses,
                     const std::vector<Camera>& cameras) {
  const auto num_pictures = static_cast<int64_t>(poses.size() * cameras.size());
  at::Tensor centres = at::empty({num_pictures, 3, 2}), openness = at::empty({num_pictures});
  int64_t index = 0;
  for (const Camera& camera : cameras) {
    for (const ToolPose& pose : poses) {
      const auto anchors = aim::AnchorPoints(pose);
      for (int64_t i = 0; i < 3; ++i) {
        const Eigen::Vector2d uv = aim::Project(camera, anchors[static_cast<size_t>(i)])->uv;
        centres[index][i][0] = uv.x();
        centres[index][i][1] = uv.y();
      }
      openness[index++] = pose.gripper_open;
    }
  }
  const size_t frame = 3 * kSizePx * kSizePx;
  std::vector<float> video(static_cast<size_t>(num_pictures) * frame);
  const auto draw = [&] {
    for (size_t view = 0; view < cameras.size(); ++view) {
      aim::DrawActionVideoInto(
          poses, {"", {cameras[view]}}, {},
          std::span(video).subspan(view * poses.size() * frame, poses.size() * frame));
    }
  };
  const std::vector<double> ms =
      MedianMs(repeats, {[&] { aim::bench::PublishedRasterizer(centres, openness, kSizePx); }, draw,
                         [&] { std::fill(video.begin(), video.end(), 0.5f); }});
  const double count = static_cast<double>(num_pictures);
  const double published_ms = ms[0] / count, ours_ms = ms[1] / count, fill_ms = ms[2] / count;
  std::printf("rasterizer, %d x %d, ms an image      published %8.3f   aim %8.3f   fill %8.3f\n",
              kSizePx, kSizePx, published_ms, ours_ms, fill_ms);
  std::printf("  published / aim = %.1f   aim / fill = %.2f\n", published_ms / ours_ms,
              ours_ms / fill_ms);
}

void BenchDecoder(int repeats, const std::vector<ToolPose>& poses,
                  const std::vector<Camera>& cameras) {
  const size_t plane = kSizePx * kSizePx;
  std::vector<std::vector<float>> pictures;
  std::vector<std::vector<uint8_t>> bytes;
  std::vector<at::Tensor> tensors;
  for (const ToolPose& pose : poses) {
    for (const Camera& camera : cameras) {
      pictures.emplace_back(3 * plane);
      aim::DrawActionImageInto(pose, camera, {}, pictures.back());
      bytes.emplace_back(3 * plane);
      for (size_t i = 0; i < 3 * plane; ++i) {
        bytes.back()[3 * (i % plane) + i / plane] =
            static_cast<uint8_t>(std::lround(255 * pictures.back()[i]));
      }
    }
    at::Tensor frame = at::empty({2, kSizePx, kSizePx, 3}, at::kByte);
    for (size_t view = 0; view < 2; ++view) {
      std::copy_n(bytes[bytes.size() - 2 + view].begin(), 3 * plane,
                  frame.data_ptr<uint8_t>() + view * 3 * plane);
    }
    tensors.push_back(frame);
  }
  const std::vector<aim::bench::TensorCamera> tensor_cameras{aim::bench::ToTensors(cameras[0]),
                                                             aim::bench::ToTensors(cameras[1])};
  const auto published = [&] {
    for (const at::Tensor& frame : tensors)
      aim::bench::PublishedDecoder(frame, tensor_cameras, {0.6, 1.8, kDepths});
  };
  const auto floats = [&] {
    for (size_t i = 0; i < poses.size(); ++i) {
      const std::vector<std::span<const float>> views{pictures[2 * i], pictures[2 * i + 1]};
      aim::DecodeFrame(views, cameras);
    }
  };
  const auto from_bytes = [&] {
    for (size_t i = 0; i < poses.size(); ++i) {
      const std::vector<std::span<const uint8_t>> views{bytes[2 * i], bytes[2 * i + 1]};
      aim::DecodeFrame(views, cameras);
    }
  };
  const std::vector<double> ms = MedianMs(repeats, {published, floats, from_bytes});
  const double frames = static_cast<double>(poses.size());
  const double published_ms = ms[0] / frames, floats_ms = ms[1] / frames, bytes_ms = ms[2] / frames;
  std::printf(
      "decoder, 2 views, %d depths, ms a frame  published %8.3f   aim float %8.3f   aim bytes "
      "%8.3f\n",
      kDepths, published_ms, floats_ms, bytes_ms);
  std::printf("  published / aim float = %.1f   published / aim bytes = %.1f\n",
              published_ms / floats_ms, published_ms / bytes_ms);
}

}  // namespace

int main(int argc, char** argv) {
  const int repeats = argc > 1 ? std::max(1, std::atoi(argv[1])) : 31;
  at::set_num_threads(1);
  const c10::InferenceMode inference;
  const std::vector<Camera> cameras{CameraAbove({1.35, 0, 1.58}, 25, -1),
                                    CameraAbove({-0.175, 0, 2.43}, 65, 1)};
  const std::vector<ToolPose> poses = RandomPoses(4);
  std::printf("codec_bench %d: one thread, medians\n", repeats);
  BenchRasterizer(repeats, poses, cameras);
  BenchDecoder(repeats, poses, cameras);
  return 0;
}
