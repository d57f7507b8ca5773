#include "pipeline/windows.h"

#include <algorithm>
#include <cmath>

#include "aim/base/error.h"

namespace aim {
namespace {

constexpr double kSpreadM = 0.01;  // windows that differ by this halve the confidence

// What one window says of one frame.
struct Vote {
  const DecodedPose* frame = nullptr;
  double weight = 0;
};

// Weighted mean of the votes that were decoded.
DecodedPose Blend(const std::vector<Vote>& votes) {
  const Vote* heaviest = &votes[0];
  double sum = 0;
  double open = 0;
  double open_sum = 0;
  for (const Vote& vote : votes) {
    const double weight = vote.frame->decodable ? vote.weight * vote.frame->confidence : 0;
    const double most =
        heaviest->frame->decodable ? heaviest->weight * heaviest->frame->confidence : 0;
    if (weight > most) heaviest = &vote;
    sum += weight;
    open += vote.weight * vote.frame->pose.gripper_open;
    open_sum += vote.weight;
  }
  DecodedPose blend = *heaviest->frame;
  blend.pose.gripper_open = open / open_sum;
  if (votes.size() == 1 || !(sum > 0)) return blend;
  const Eigen::Vector4d reference = heaviest->frame->pose.world_from_tool.rotation.coeffs();
  Eigen::Vector3d position = Eigen::Vector3d::Zero();
  Eigen::Vector4d quaternion = Eigen::Vector4d::Zero();
  double confidence = 0;
  double residual_px = 0;
  const auto for_each = [&](auto&& body) {
    for (const Vote& vote : votes) {
      if (!vote.frame->decodable) continue;
      body(*vote.frame, vote.weight * vote.frame->confidence / sum);
    }
  };
  for_each([&](const DecodedPose& frame, double weight) {
    const Eigen::Vector4d q = frame.pose.world_from_tool.rotation.coeffs();
    position += weight * frame.pose.world_from_tool.translation;
    quaternion += (q.dot(reference) < 0 ? -weight : weight) * q;
    confidence += weight * frame.confidence;
    residual_px += weight * frame.residual_px;
  });
  double variance = 0;
  for_each([&](const DecodedPose& frame, double weight) {
    variance += weight * (frame.pose.world_from_tool.translation - position).squaredNorm();
  });
  blend.pose.world_from_tool = {
      CanonicalSign(Eigen::Quaterniond(Eigen::Vector4d(quaternion.normalized()))), position};
  blend.confidence = confidence / (1 + std::sqrt(variance) / kSpreadM);
  blend.residual_px = residual_px;
  return blend;
}

}  // namespace

std::vector<int> WindowStarts(int num_frames, int window, int overlap) {
  AIM_CHECK(num_frames > 0 && window > 0 && overlap >= 0 && overlap < window);
  std::vector<int> starts = {0};
  while (starts.back() + window < num_frames) {
    starts.push_back(std::min(starts.back() + window - overlap, num_frames - window));
  }
  return starts;
}

std::vector<DecodedPose> BlendWindows(const std::vector<DecodedWindow>& windows, int num_frames) {
  std::vector<std::vector<Vote>> votes(static_cast<size_t>(num_frames));
  for (const DecodedWindow& window : windows) {
    const int length = static_cast<int>(window.frames.size());
    for (int k = 0; k < length && window.start + k < num_frames; ++k) {
      const double weight = static_cast<double>(std::min(k + 1, length - k)) / length;
      votes[static_cast<size_t>(window.start + k)].push_back(
          {&window.frames[static_cast<size_t>(k)], weight});
    }
  }
  std::vector<DecodedPose> blended;
  for (const std::vector<Vote>& frame : votes) {
    AIM_CHECK(!frame.empty());
    blended.push_back(Blend(frame));
  }
  return blended;
}

Clip EveryNthFrame(const Clip& clip, int stride) {
  if (stride == 1) return clip;
  Clip result = clip;
  const size_t frame_bytes = static_cast<size_t>(clip.height) * static_cast<size_t>(clip.width) * 3;
  for (size_t v = 0; v < clip.views.size(); ++v) {
    const ClipView& source = clip.views[v];
    ClipView& view = result.views[v];
    view.rgb.clear();
    view.num_frames = 0;
    if (source.camera.frames.size() > 1) view.camera.frames.clear();
    for (int frame = 0; frame < source.num_frames; frame += stride, ++view.num_frames) {
      const auto index = static_cast<size_t>(frame);
      const auto begin = source.rgb.begin() + static_cast<std::ptrdiff_t>(index * frame_bytes);
      view.rgb.insert(view.rgb.end(), begin, begin + static_cast<std::ptrdiff_t>(frame_bytes));
      if (source.camera.frames.size() > 1) view.camera.frames.push_back(source.camera.at(index));
    }
  }
  result.fps = clip.fps / stride;
  result.poses.clear();
  for (size_t i = 0; i < clip.poses.size(); i += static_cast<size_t>(stride)) {
    result.poses.push_back(clip.poses[i]);
  }
  return result;
}

std::vector<DecodedPose> SpreadOut(const std::vector<DecodedPose>& frames, int stride,
                                   int num_frames) {
  std::vector<DecodedPose> result;
  for (int frame = 0; frame < num_frames; ++frame) {
    const auto before = static_cast<size_t>(frame / stride);
    const size_t after = std::min(before + 1, frames.size() - 1);
    const int part = frame % stride;
    DecodedPose pose = frames[before];
    if (part != 0) {
      const double fraction = static_cast<double>(part) / stride;
      pose.pose.world_from_tool = Interpolate(frames[before].pose.world_from_tool,
                                              frames[after].pose.world_from_tool, fraction);
      pose.decodable = frames[before].decodable && frames[after].decodable;
      pose.confidence = std::min(frames[before].confidence, frames[after].confidence);
      pose.from_prior = true;
    }
    result.push_back(std::move(pose));
  }
  return result;
}

}  // namespace aim
