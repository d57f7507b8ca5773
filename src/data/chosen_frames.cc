#include "data/chosen_frames.h"

#include <cmath>
#include <utility>

#include "aim/base/error.h"
#include "aim/media/frame_times.h"

namespace aim {
namespace {

constexpr double kRateTolerance = 0.2;

}  // namespace

ChosenFrames::ChosenFrames(std::unique_ptr<FrameReader> all, std::vector<int> frames,
                           std::vector<double> times_s, double fps)
    : all_(std::move(all)), frames_(std::move(frames)) {
  AIM_CHECK(!frames_.empty() && frames_.size() == times_s.size() && fps > 0);
  AIM_CHECK(frames_.front() >= 0 && frames_.back() < all_->info().num_frames);
  info_.format = all_->info().format;
  info_.format.fps = fps;
  info_.num_frames = static_cast<int>(frames_.size());
  info_.times_s = std::move(times_s);
}

void ChosenFrames::VisitFrames(int begin, int end, int stride, const Visit& visit) {
  AIM_CHECK(begin >= 0 && end > begin && end <= info_.num_frames && stride > 0);
  for (int frame = begin; frame < end; frame += stride) {
    const int chosen = frames_[static_cast<size_t>(frame)];
    all_->VisitFrames(chosen, chosen + 1, 1,
                      [&](int, std::span<const uint8_t> rgb) { visit(frame, rgb); });
  }
}

double RecordedRate(std::span<const double> times_s, double nominal_fps) {
  const double measured_fps = FrameRateOf(times_s, 0);
  const bool is_nominal = !(std::abs(measured_fps / nominal_fps - 1) > kRateTolerance);
  return measured_fps == 0 || is_nominal ? nominal_fps : measured_fps;
}

}  // namespace aim
