// AdamW, and Muon for the blocks' matrices.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "aim/tensor/weights.h"
#include "aim/train/train_options.h"

namespace aim {

// The nearest semi-orthogonal matrix, approximately: five Newton-Schulz iterations of the quintic
// with coefficients 3.4445, -4.7750, 2.0315 (Jordan et al. 2024, "Muon"). [n, m] -> [n, m] float32.
at::Tensor Orthogonalize(const at::Tensor& matrix, at::ScalarType dtype);

// Whether the options train a weight of that name and so many dimensions by Muon.
bool IsMuon(const TrainOptions& options, const std::string& name, size_t num_dims);

// Updates weights in place. Moments are tensors named "<weight>/m", "<weight>/v", "step".
class Optimizer {
 public:
  Optimizer(const TrainOptions& options, const WeightMap& weights, at::ScalarType matrix_dtype);

  // grads are in the order of the map's names. Returns the gradients' norm before clipping; where
  // that is not finite, nothing is changed.
  double Step(WeightMap& weights, std::vector<at::Tensor>& grads, double lr, int num_threads = 1);

  WeightMap State() const;
  // Throws InputError listing what does not fit.
  void LoadState(const WeightMap& state, const std::string& where);

 private:
  struct Slot {
    std::string name;
    bool is_muon = false;
    bool decays = false;
    at::Tensor m;
    at::Tensor v;  // undefined for Muon
  };

  void StepAdam(const Slot& slot, at::Tensor& weight, const at::Tensor& grad, double lr);
  void StepMuon(const Slot& slot, at::Tensor& weight, const at::Tensor& grad, double lr);

  TrainOptions options_;
  at::ScalarType matrix_dtype_;
  std::vector<Slot> slots_;
  int64_t num_steps_ = 0;
};

}  // namespace aim
