// Losses of samples by what was asked of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "aim/train/step_plan.h"

namespace aim {

// Sums over samples, a mode and a noise band. The bands are quarters of sigma, from clean to noise.
class LossTally {
 public:
  LossTally();

  void Add(const SampleDraw& draw, double loss);
  void Add(const LossTally& other);

  // The sums, for the ranks to add up: [K, 2] float64, sum and count.
  at::Tensor AsTensor() const;
  static LossTally Of(const at::Tensor& sums);

  // {"loss_of_mode": {"i2a": 0.1}, "loss_of_noise": {"0.75-1": 0.2}}: means, of what there is.
  nlohmann::json Means() const;

 private:
  struct Share {
    double sum = 0;
    double count = 0;
  };
  std::vector<Share> shares_;  // of the modes in the order of their table, then of the bands
};

}  // namespace aim
