#include "aim/diffusion/scheduler.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "aim/base/error.h"
#include "aim/diffusion/flow_matching.h"

namespace aim {
namespace {

float RoundTimestep(double timestep, TimestepRounding rounding) {
  if (rounding == TimestepRounding::kTrunc) return static_cast<float>(std::trunc(timestep));
  const auto single = static_cast<float>(timestep);
  return rounding == TimestepRounding::kBf16 ? static_cast<float>(c10::BFloat16(single)) : single;
}

// Sigmas before they become float32, without the final 0; of the grids that are not kFull.
std::vector<double> Grid(SigmaGrid grid, int steps, double shift) {
  const bool is_official = grid == SigmaGrid::kOfficial;
  const double first = is_official ? static_cast<double>(0.999f) : 1;
  const double last = is_official ? 0 : 1e-3;
  std::vector<double> sigmas;
  sigmas.reserve(static_cast<size_t>(steps));
  for (int i = 0; i < steps; ++i) {
    sigmas.push_back(ShiftSigma(first + (last - first) * i / steps, shift));
  }
  if (!is_official && sigmas[0] > 1 - 1e-6) sigmas[0] -= 1e-6;
  return sigmas;
}

// What lies at `ramp` in [0, 1] between the first and the last level.
double SpacedSigma(SigmaSpacing spacing, double first, double last, double ramp) {
  if (spacing == SigmaSpacing::kExponential) {
    return std::exp(std::log(first) + ramp * (std::log(last) - std::log(first)));
  }
  constexpr double kRho = 7;
  const double root = std::pow(first, 1 / kRho);
  return std::pow(root + ramp * (std::pow(last, 1 / kRho) - root), kRho);
}

// The grid of Diffusers' FlowMatchEulerDiscreteScheduler, without the final 0. The class keeps its
// own levels, which are shifted, and shifts what lies evenly between their ends.
std::vector<double> DiffusersEulerGrid(const SamplingOptions& options) {
  const auto lowest = static_cast<float>(ShiftSigma(static_cast<double>(0.001f), options.shift));
  const double num_gaps = std::max(1, options.steps - 1);
  std::vector<double> sigmas;
  sigmas.reserve(static_cast<size_t>(options.steps));
  for (int i = 0; i < options.steps; ++i) {
    sigmas.push_back(
        ShiftSigma(1 + (static_cast<double>(lowest) - 1) * i / num_gaps, options.shift));
  }
  const double last = sigmas.back();
  if (options.sigma_terminal > 0 && last < 1) {
    const double scale = (1 - last) / (1 - options.sigma_terminal);
    for (double& sigma : sigmas) sigma = 1 - (1 - sigma) / scale;
  }
  if (options.sigma_spacing == SigmaSpacing::kShifted) return sigmas;
  const double first = sigmas.front();
  const double lowest_kept = sigmas.back();
  for (int i = 0; i < options.steps; ++i) {
    sigmas[static_cast<size_t>(i)] =
        SpacedSigma(options.sigma_spacing, first, lowest_kept, i / num_gaps);
  }
  return sigmas;
}

class EulerScheduler : public Scheduler {
 public:
  EulerScheduler(Schedule schedule, bool predicts_clean)
      : Scheduler(std::move(schedule), predicts_clean) {}

  at::Tensor Step(const at::Tensor& sample, const at::Tensor& output) override {
    const double sigma = schedule_.sigmas.at(index_);
    const double next = schedule_.sigmas.at(index_ + 1);
    ++index_;
    const at::Tensor level = sample.new_full({}, sigma);
    const at::Tensor velocity = predicts_clean_ ? (sample - output) / level : output;
    return sample + velocity * (next - sigma);
  }

 private:
  size_t index_ = 0;
};

// docs/reference/wan22.md 5.2 in its words: alpha = 1 - sigma, lambda = ln alpha - ln sigma.
class UniPcScheduler : public Scheduler {
 public:
  UniPcScheduler(Schedule schedule, bool predicts_clean)
      : Scheduler(std::move(schedule), predicts_clean) {}

  at::Tensor Step(const at::Tensor& sample, const at::Tensor& output) override {
    const double sigma = schedule_.sigmas.at(index_);
    const at::Tensor clean = predicts_clean_ ? output : sample - output * sigma;
    const at::Tensor corrected = index_ > 0 ? Correct(clean) : sample;
    older_ = newer_;
    newer_ = clean;
    const size_t steps_left = schedule_.timesteps.size() - index_;
    order_ = std::min({size_t{2}, steps_left, index_ + 1});
    last_sample_ = corrected;
    const at::Tensor next = Predict(corrected);
    ++index_;
    return next;
  }

 private:
  double Alpha(size_t i) const { return 1.0 - schedule_.sigmas[i]; }
  double Lambda(size_t i) const { return std::log(Alpha(i)) - std::log(schedule_.sigmas[i]); }

  // UniC: the sample at this noise level again, now that the network has seen it.
  at::Tensor Correct(const at::Tensor& clean) const {
    const size_t i = index_;
    const double h = Lambda(i) - Lambda(i - 1);
    const double phi = std::expm1(-h);
    const at::Tensor base =
        last_sample_ * (schedule_.sigmas[i] / schedule_.sigmas[i - 1]) - newer_ * (Alpha(i) * phi);
    const at::Tensor change = clean - newer_;
    if (order_ == 1) return base - change * (Alpha(i) * phi * 0.5);
    const double r = (Lambda(i - 2) - Lambda(i - 1)) / h;
    const double g1 = phi / -h - 1;
    const double g2 = g1 / -h - 0.5;
    const double b1 = g1 / phi;
    const double b2 = 2 * g2 / phi;
    const double rho_older = (b2 - b1) / (r - 1);
    const double rho_change = b1 - rho_older;
    return base - ((older_ - newer_) * (rho_older / r) + change * rho_change) * (Alpha(i) * phi);
  }

  // UniP: on to the next noise level. At 0, where lambda is infinite, that is the clean sample.
  at::Tensor Predict(const at::Tensor& sample) const {
    const size_t i = index_;
    if (schedule_.sigmas[i + 1] == 0) return newer_;
    const double h = Lambda(i + 1) - Lambda(i);
    const double phi = std::expm1(-h);
    const at::Tensor base =
        sample * (schedule_.sigmas[i + 1] / schedule_.sigmas[i]) - newer_ * (Alpha(i + 1) * phi);
    if (order_ == 1) return base;
    const double r = (Lambda(i - 1) - Lambda(i)) / h;
    return base - (older_ - newer_) * (Alpha(i + 1) * phi * 0.5 / r);
  }

  size_t index_ = 0;
  size_t order_ = 1;  // of the last prediction
  at::Tensor newer_, older_, last_sample_;
};

}  // namespace

Schedule MakeSchedule(const SamplingOptions& options) {
  if (options.steps < 1)
    throw ConfigError({"steps", std::to_string(options.steps), "at least 1", ""});
  const bool is_unipc = options.sampler == SamplerKind::kUnipc;
  SigmaGrid grid = options.sigma_grid;
  if (grid == SigmaGrid::kAuto) grid = is_unipc ? SigmaGrid::kOfficial : SigmaGrid::kFull;
  TimestepRounding rounding = options.timestep_rounding;
  if (rounding == TimestepRounding::kAuto)
    rounding = is_unipc ? TimestepRounding::kTrunc : TimestepRounding::kNone;
  const bool is_full = grid == SigmaGrid::kFull;
  const bool is_diffusers_euler = grid == SigmaGrid::kDiffusers && !is_unipc;
  Schedule schedule;
  if (is_full) {
    schedule.sigmas = InferenceSigmas(options.steps, options.shift);
  } else {
    schedule.sigmas =
        is_diffusers_euler ? DiffusersEulerGrid(options) : Grid(grid, options.steps, options.shift);
  }
  if (!is_full) schedule.sigmas.push_back(0);
  // Where lambda = ln(1 - sigma) - ln(sigma) must be finite, sigma cannot be 1.
  if (is_unipc && schedule.sigmas[0] > 1 - 1e-6) schedule.sigmas[0] -= 1e-6;
  for (size_t i = 0; i + 1 < schedule.sigmas.size(); ++i) {
    double& sigma = schedule.sigmas[i];
    const auto rounded = static_cast<float>(sigma);
    // Timesteps of Euler's grids are products of float32, the others' of float64.
    const bool is_single = is_full || is_diffusers_euler;
    schedule.timesteps.push_back(is_single ? RoundTimestep(rounded * 1000.0f, rounding)
                                           : RoundTimestep(sigma * 1000.0, rounding));
    if (!is_full) sigma = rounded;
  }
  return schedule;
}

std::unique_ptr<Scheduler> MakeScheduler(const SamplingOptions& options, Prediction prediction) {
  const bool predicts_clean = prediction == Prediction::kClean;
  if (options.sampler == SamplerKind::kUnipc)
    return std::make_unique<UniPcScheduler>(MakeSchedule(options), predicts_clean);
  return std::make_unique<EulerScheduler>(MakeSchedule(options), predicts_clean);
}

}  // namespace aim
