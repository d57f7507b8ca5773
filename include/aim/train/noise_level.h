// How noisy a training sample is, and what its loss counts.
#pragma once

#include <vector>

#include "aim/base/rng.h"
#include "aim/train/train_options.h"

namespace aim {

struct NoiseLevel {
  double sigma = 0;     // x = (1 - sigma) clean + sigma noise
  double timestep = 0;  // what the network is told, in [0, 1000]
  double weight = 1;    // of the sample's loss

  bool operator==(const NoiseLevel&) const = default;
};

// The distribution that the options ask for:
//
//   shifted       u uniform in (0, 1], shifted: more of high noise
//   logit_normal  u = 1 / (1 + exp(-z)), z normal, shifted (Esser et al. 2024, arXiv 2403.03206)
//   released      one of the scheduler's 1000 levels, its timestep rounded to bfloat16 and the
//                 level looked up again by it (docs/reference/wan22.md 5.1)
//
// and the weight: 1, or the bell of the released training, which is 0 at the noisiest level and
// has the mean 1 over all.
class NoiseLevels {
 public:
  explicit NoiseLevels(const TrainOptions& options);

  NoiseLevel Draw(Rng& rng) const;

  // Level `index` of `released`, from 0, the noisiest, to 999.
  NoiseLevel Released(int index) const;

 private:
  // Of the listed level nearest to a timestep.
  int NearestTo(double timestep) const;

  TimestepDraw draw_;
  LossWeight loss_weight_;
  double shift_;
  double logit_mean_;
  double logit_deviation_;
  std::vector<double> sigmas_;   // the 1000 levels
  std::vector<double> weights_;  // of the bell
};

}  // namespace aim
