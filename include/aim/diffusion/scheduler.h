// Noise levels of a denoising run and the steps between them. docs/reference/wan22.md 5.1, 5.2.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "aim/model/dit_options.h"
#include "aim/recipe/sampling_options.h"

namespace aim {

// Noise levels sigma_0 > ... > sigma_n = 0 and the timestep the network is shown at each but the
// last.
struct Schedule {
  std::vector<double> sigmas;
  std::vector<float> timesteps;  // 1000 sigma, rounded as asked
};

// Grids over n steps, each shifted (flow_matching.h):
//   full       u from 1, the release's
//   official   u from float32(0.999), of Wan's UniPC; sigmas are float32
//   diffusers  unipc: u from 1 to 0.001, its first sigma less 1e-6 if it is 1; sigmas are float32.
//              euler: as FlowMatchEulerDiscreteScheduler of Diffusers 0.42 does, n levels from u =
//              1 to u = the shifted 0.001, both counted, shifted (once more); stretched so that the
//              last is sigma_terminal, if that is not 0; then spaced anew between first and last,
//              if sigma_spacing says so (karras: rho 7); float32
// Throws ConfigError for less than one step. Guidance is not read.
Schedule MakeSchedule(const SamplingOptions& options);

// Leads a sample from one noise level to the next. Called once a step, in order; not thread-safe.
class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // The sample at sigma_{i+1}, from the one at sigma_i and what the network made of it. Elements do
  // not mix. The rounding of the timestep does not enter. Any shape, float32.
  virtual at::Tensor Step(const at::Tensor& sample, const at::Tensor& output) = 0;

  const Schedule& schedule() const { return schedule_; }

 protected:
  Scheduler(Schedule schedule, bool predicts_clean)
      : schedule_(std::move(schedule)), predicts_clean_(predicts_clean) {}

  Schedule schedule_;
  bool predicts_clean_;
};

// For a network whose output is what `prediction` says.
// euler: x + v (sigma_{i+1} - sigma_i). unipc: order 2, bh2, predicts x0, first and last step
// of order 1; its last step returns the predicted clean sample itself.
std::unique_ptr<Scheduler> MakeScheduler(const SamplingOptions& options, Prediction prediction);

}  // namespace aim
