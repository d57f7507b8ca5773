// AdamW, and Muon for the blocks' matrices.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "aim/tensor/weights.h"
#include "aim/train/train_options.h"

namespace aim {

// The nearest semi-orthogonal matrix, approximately: five Newton-Schulz iterations of the quintic
// with coefficients 3.4445, -4.7750, 2.0315 (Jordan et al. 2024, "Muon"). [n, m], or several at
// once, [K, n, m], -> the same float32.
at::Tensor Orthogonalize(const at::Tensor& matrix, at::ScalarType dtype);

// Whether the options train a weight of that name and so many dimensions by Muon.
bool IsMuon(const TrainOptions& options, const std::string& name, size_t num_dims);

// Of each the square of its norm; their sum in this order is that of all.
std::vector<double> SquaredNorms(const std::vector<at::Tensor>& tensors, int num_threads = 1);

at::ScalarType DtypeOf(MomentDtype moments);

// Updates weights, contiguous and float32, in place. Moments are tensors named "<weight>/m",
// "<weight>/v", "step", of the type options.moments. Those in bfloat16 are rounded by draws from
// (seed, step, name, element), so that the number of threads changes nothing.
class Optimizer {
 public:
  Optimizer(const TrainOptions& options, const WeightMap& weights, at::ScalarType matrix_dtype,
            uint64_t seed = 0);

  // grads are those of the weights it was made with, in the order of their names; the map may hold
  // others as well. What they hold afterwards is of no use. Returns their norm before clipping,
  // `norm_of_all` where there are more than these; where that is not finite, nothing is changed.
  double Step(WeightMap& weights, std::vector<at::Tensor>& grads, double lr, int num_threads = 1,
              std::optional<double> norm_of_all = std::nullopt);

  // The same by ATen's operations over all tensors at once, on whatever device they are: nothing is
  // waited for, so the norm is asked of the caller, who has fetched it. Moments are float32.
  void StepQueued(WeightMap& weights, const std::vector<at::Tensor>& grads, double lr, double norm);

  WeightMap State() const;
  // Throws InputError listing what does not fit, or for moments of another type.
  void LoadState(const WeightMap& state, const std::string& where);

 private:
  struct Slot {
    std::string name;
    bool is_muon = false;
    bool decays = false;
    at::Tensor m;
    at::Tensor v;  // undefined for Muon
  };

  void StepAdam(const Slot& slot, at::Tensor& weight, const at::Tensor& grad, double lr,
                double grad_scale) const;
  void StepMuon(const Slot& slot, at::Tensor& weight, at::Tensor& grad, double lr,
                double grad_scale) const;
  void StepAdamQueued(bool decays, WeightMap& weights, const std::vector<at::Tensor>& grads,
                      double lr);
  void StepMuonQueued(WeightMap& weights, const std::vector<at::Tensor>& grads, double lr);
  std::vector<std::vector<size_t>> MuonGroups(const WeightMap& weights) const;  // slots_, by index
  double GradScale(double norm) const;
  uint32_t RoundingKey(const Slot& slot) const;

  TrainOptions options_;
  uint64_t seed_;
  at::ScalarType matrix_dtype_;
  std::vector<Slot> slots_;
  int64_t num_steps_ = 0;
};

}  // namespace aim
