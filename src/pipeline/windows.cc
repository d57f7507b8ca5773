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
      const auto frame = static_cast<size_t>(window.start) + static_cast<size_t>(k);
      votes[frame].push_back({&window.frames[static_cast<size_t>(k)], weight});
    }
  }
  std::vector<DecodedPose> blended;
  for (const std::vector<Vote>& frame : votes) {
    AIM_CHECK(!frame.empty());
    blended.push_back(Blend(frame));
  }
  return blended;
}

std::vector<DecodedPose> SpreadOut(const std::vector<DecodedPose>& frames, int stride,
                                   std::span<const double> times_s) {
  std::vector<DecodedPose> result;
  const auto step = static_cast<size_t>(stride);
  for (size_t frame = 0; frame < times_s.size(); ++frame) {
    const size_t before = frame / step;
    const size_t after = std::min(before + 1, frames.size() - 1);
    DecodedPose pose = frames[before];
    if (frame % step != 0) {
      const double begin_s = times_s[before * step];
      const double span_s = times_s[after * step] - begin_s;
      const double fraction = span_s > 0 ? (times_s[frame] - begin_s) / span_s : 0;
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
