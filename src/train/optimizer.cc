#include "aim/train/optimizer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "aim/base/error.h"
#include "aim/base/parallel.h"
#include "aim/model/lora.h"

namespace aim {
namespace {

constexpr double kAdamEpsilon = 1e-8;
constexpr double kMuonMomentum = 0.95;

bool Contains(const std::string& text, const char* word) {
  return text.find(word) != std::string::npos;
}

}  // namespace

// Of an adapter's factors none: the update of their product is not orthogonal if theirs are.
bool IsMuon(const TrainOptions& options, const std::string& name, size_t num_dims) {
  const bool is_of_matrix =
      Contains(name, "_attn.") || Contains(name, ".ffn.") || Contains(name, ".projector.");
  return options.optimizer == OptimizerKind::kMuon && num_dims == 2 && is_of_matrix &&
         name.starts_with("blocks.") && !LoraMatrix(name);
}

at::Tensor Orthogonalize(const at::Tensor& matrix, at::ScalarType dtype) {
  const bool is_tall = matrix.size(0) > matrix.size(1);
  at::Tensor x = is_tall ? matrix.t() : matrix;
  x = (x / (x.norm() + 1e-7)).to(dtype).contiguous();
  for (int i = 0; i < 5; ++i) {
    const at::Tensor a = at::mm(x, x.t());
    const at::Tensor b = at::addmm(a, a, a, -4.7750, 2.0315);
    x = at::addmm(x, b, x, 3.4445);
  }
  x = x.to(at::kFloat);
  return is_tall ? x.t() : x;
}

Optimizer::Optimizer(const TrainOptions& options, const WeightMap& weights,
                     at::ScalarType matrix_dtype)
    : options_(options), matrix_dtype_(matrix_dtype) {
  for (const auto& [name, weight] : weights) {
    Slot slot;
    slot.name = name;
    slot.is_muon = IsMuon(options, name, static_cast<size_t>(weight.dim()));
    slot.decays = weight.dim() >= 2 && !Contains(name, "modulation");
    slot.m = at::zeros_like(weight);
    if (!slot.is_muon) slot.v = at::zeros_like(weight);
    slots_.push_back(std::move(slot));
  }
}

void Optimizer::StepAdam(const Slot& slot, at::Tensor& weight, const at::Tensor& grad, double lr) {
  const double step = static_cast<double>(num_steps_);
  const double correction1 = 1.0 - std::pow(options_.beta1, step);
  const double correction2 = 1.0 - std::pow(options_.beta2, step);
  if (slot.decays) weight.mul_(1.0 - lr * options_.weight_decay);
  slot.m.lerp_(grad, 1.0 - options_.beta1);
  at::Tensor v = slot.v;
  v.mul_(options_.beta2).addcmul_(grad, grad, 1.0 - options_.beta2);
  weight.addcdiv_(slot.m, v.sqrt().div_(std::sqrt(correction2)).add_(kAdamEpsilon),
                  -lr / correction1);
}

// The update has about the size of AdamW's: 0.2 sqrt(max(n, m)) times a matrix of unit singular
// values (Liu et al. 2025, "Muon is scalable"), so that one learning rate serves both.
void Optimizer::StepMuon(const Slot& slot, at::Tensor& weight, const at::Tensor& grad, double lr) {
  at::Tensor m = slot.m;
  m.mul_(kMuonMomentum).add_(grad);
  const at::Tensor update = Orthogonalize(grad.add(m, kMuonMomentum), matrix_dtype_);
  const double size =
      0.2 * std::sqrt(static_cast<double>(std::max(weight.size(0), weight.size(1))));
  if (slot.decays) weight.mul_(1.0 - lr * options_.weight_decay);
  weight.add_(update, -lr * size);
}

std::vector<double> SquaredNorms(const std::vector<at::Tensor>& tensors) {
  const c10::NoGradGuard guard;
  std::vector<double> squares;
  for (const at::Tensor& tensor : tensors) {
    const double norm = tensor.norm().item<double>();
    squares.push_back(norm * norm);
  }
  return squares;
}

double Optimizer::Step(WeightMap& weights, std::vector<at::Tensor>& grads, double lr,
                       int num_threads, std::optional<double> norm_of_all) {
  const c10::NoGradGuard guard;
  AIM_CHECK(grads.size() == slots_.size());
  const auto own_norm = [&] {
    const std::vector<double> squares = SquaredNorms(grads);
    return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
  };
  const double norm = norm_of_all ? *norm_of_all : own_norm();
  if (!std::isfinite(norm)) return norm;
  if (options_.clip_norm > 0 && norm > options_.clip_norm) {
    for (at::Tensor& grad : grads) grad.mul_(options_.clip_norm / norm);
  }
  ++num_steps_;
  // One thread a weight: regions of two threads inside every small operation would mostly wait.
  ParallelFor(static_cast<int64_t>(slots_.size()), num_threads, [&](int64_t i) {
    const c10::NoGradGuard no_grad;
    at::set_num_threads(1);
    const Slot& slot = slots_[static_cast<size_t>(i)];
    at::Tensor& weight = weights.at(slot.name);
    if (slot.is_muon) {
      StepMuon(slot, weight, grads[static_cast<size_t>(i)], lr);
    } else {
      StepAdam(slot, weight, grads[static_cast<size_t>(i)], lr);
    }
  });
  return norm;
}

WeightMap Optimizer::State() const {
  WeightMap state;
  for (const Slot& slot : slots_) {
    state[slot.name + "/m"] = slot.m;
    if (slot.v.defined()) state[slot.name + "/v"] = slot.v;
  }
  state["step"] = at::tensor({num_steps_}, at::kLong);
  return state;
}

void Optimizer::LoadState(const WeightMap& state, const std::string& where) {
  ShapeMap expected;
  for (const auto& [name, tensor] : State()) expected[name] = tensor.sizes().vec();
  CheckWeights(state, expected, where);
  for (Slot& slot : slots_) {
    slot.m.copy_(state.at(slot.name + "/m"));
    if (slot.v.defined()) slot.v.copy_(state.at(slot.name + "/v"));
  }
  num_steps_ = state.at("step").item<int64_t>();
}

}  // namespace aim
