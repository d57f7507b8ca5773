#include "aim/train/noise_level.h"

#include <c10/util/BFloat16.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "aim/diffusion/flow_matching.h"

namespace aim {
namespace {

constexpr int kNumLevels = 1000;
constexpr double kTimesteps = 1000;
constexpr double kLeastSigma = 1e-3;

}  // namespace

NoiseLevels::NoiseLevels(const TrainOptions& options)
    : draw_(options.timesteps),
      loss_weight_(options.loss_weight),
      shift_(options.shift),
      logit_mean_(options.logit_mean),
      logit_deviation_(options.logit_deviation),
      sigmas_(InferenceSigmas(kNumLevels, options.shift)) {
  sigmas_.pop_back();  // 0 is no level
  for (const double sigma : sigmas_) {
    const double offset = sigma - 0.5;
    weights_.push_back(std::exp(-2 * offset * offset));
  }
  const double least = std::ranges::min(weights_);
  for (double& weight : weights_) weight -= least;
  const double sum = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  for (double& weight : weights_) weight *= kNumLevels / sum;
}

int NoiseLevels::NearestTo(double timestep) const {
  const auto distance = [&](double sigma) { return std::abs(kTimesteps * sigma - timestep); };
  return static_cast<int>(std::ranges::min_element(sigmas_, {}, distance) - sigmas_.begin());
}

NoiseLevel NoiseLevels::Released(int index) const {
  const auto listed = static_cast<float>(kTimesteps * sigmas_[static_cast<size_t>(index)]);
  const double timestep = static_cast<float>(c10::BFloat16(listed));
  const auto nearest = static_cast<size_t>(NearestTo(timestep));
  const bool is_bell = loss_weight_ == LossWeight::kBell;
  return {sigmas_[nearest], timestep, is_bell ? weights_[nearest] : 1};
}

NoiseLevel NoiseLevels::Draw(Rng& rng) const {
  if (draw_ == TimestepDraw::kReleased)
    return Released(static_cast<int>(rng.UniformInt(kNumLevels)));
  const double u = draw_ == TimestepDraw::kShifted
                       ? 1.0 - rng.Uniform()
                       : 1 / (1 + std::exp(-(logit_mean_ + logit_deviation_ * rng.Normal())));
  const double sigma = std::max(kLeastSigma, ShiftSigma(u, shift_));
  const double timestep = kTimesteps * sigma;
  const bool is_bell = loss_weight_ == LossWeight::kBell;
  return {sigma, timestep, is_bell ? weights_[static_cast<size_t>(NearestTo(timestep))] : 1};
}

}  // namespace aim
