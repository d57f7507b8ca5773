#include "aim/train/optimizer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/parallel.h"
#include "aim/base/rng.h"
#include "aim/model/lora.h"
#include "train/moment_loops.h"

namespace aim {
namespace {

constexpr double kAdamEpsilon = 1e-8;
constexpr double kMuonMomentum = 0.95;

bool Contains(const std::string& text, const char* word) {
  return text.find(word) != std::string::npos;
}

uint16_t* Bf16Bits(const at::Tensor& moment) {
  return reinterpret_cast<uint16_t*>(moment.data_ptr<at::BFloat16>());
}

// The update has about the size of AdamW's: 0.2 sqrt(max(n, m)) times a matrix of unit singular
// values (Liu et al. 2025, "Muon is scalable"), so that one learning rate serves both.
double MuonSize(const at::Tensor& matrix) {
  return 0.2 * std::sqrt(static_cast<double>(std::max(matrix.size(0), matrix.size(1))));
}

// One thread a weight: regions of two threads inside every small operation would mostly wait.
template <class Body>
void ForEachWeight(size_t count, int num_threads, const Body& body) {
  ParallelFor(static_cast<int64_t>(count), num_threads, [&](int64_t i) {
    const c10::NoGradGuard no_grad;
    at::set_num_threads(1);
    body(static_cast<size_t>(i));
  });
}

}  // namespace

at::ScalarType DtypeOf(MomentDtype moments) {
  return moments == MomentDtype::kF32 ? at::kFloat : at::kBFloat16;
}

// Of an adapter's factors none: the update of their product is not orthogonal if theirs are.
bool IsMuon(const TrainOptions& options, const std::string& name, size_t num_dims) {
  const bool is_of_matrix =
      Contains(name, "_attn.") || Contains(name, ".ffn.") || Contains(name, ".projector.");
  return options.optimizer == OptimizerKind::kMuon && num_dims == 2 && is_of_matrix &&
         name.starts_with("blocks.") && !LoraMatrix(name);
}

at::Tensor Orthogonalize(const at::Tensor& matrix, at::ScalarType dtype) {
  if (matrix.dim() == 2) return Orthogonalize(matrix.unsqueeze(0), dtype)[0];
  const bool is_tall = matrix.size(1) > matrix.size(2);
  at::Tensor x = is_tall ? matrix.mT() : matrix;
  x = (x / (x.norm(2, {1, 2}, /*keepdim=*/true) + 1e-7)).to(dtype).contiguous();
  for (int i = 0; i < 5; ++i) {
    const at::Tensor a = at::bmm(x, x.mT());
    const at::Tensor b = at::baddbmm(a, a, a, -4.7750, 2.0315);
    x = at::baddbmm(x, b, x, 3.4445);
  }
  x = x.to(at::kFloat);
  return is_tall ? x.mT() : x;
}

Optimizer::Optimizer(const TrainOptions& options, const WeightMap& weights,
                     at::ScalarType matrix_dtype, uint64_t seed)
    : options_(options), seed_(seed), matrix_dtype_(matrix_dtype) {
  for (const auto& [name, weight] : weights) {
    AIM_CHECK(weight.is_contiguous() && weight.scalar_type() == at::kFloat);
    Slot slot;
    slot.name = name;
    slot.is_muon = IsMuon(options, name, static_cast<size_t>(weight.dim()));
    slot.decays = weight.dim() >= 2 && !Contains(name, "modulation");
    const auto of_moments = weight.options().dtype(DtypeOf(options.moments));
    slot.m = at::zeros(weight.sizes(), of_moments);
    if (!slot.is_muon) slot.v = at::zeros(weight.sizes(), of_moments);
    slots_.push_back(std::move(slot));
  }
}

uint32_t Optimizer::RoundingKey(const Slot& slot) const {
  return static_cast<uint32_t>(
      StableHash(slot.name, StableHash("moments", seed_) + static_cast<uint64_t>(num_steps_)));
}

void Optimizer::StepAdam(const Slot& slot, at::Tensor& weight, const at::Tensor& grad, double lr,
                         double grad_scale) const {
  const auto num_steps = static_cast<double>(num_steps_);
  const double correction1 = 1.0 - std::pow(options_.beta1, num_steps);
  const double correction2 = 1.0 - std::pow(options_.beta2, num_steps);
  const moments::AdamStep step{
      .gradient_scale = static_cast<float>(grad_scale),
      .beta1 = static_cast<float>(options_.beta1),
      .beta2 = static_cast<float>(options_.beta2),
      .keep = static_cast<float>(slot.decays ? 1.0 - lr * options_.weight_decay : 1.0),
      .rate = static_cast<float>(lr / correction1),
      .inverse_root = static_cast<float>(1.0 / std::sqrt(correction2)),
      .epsilon = static_cast<float>(kAdamEpsilon)};
  const float* gradients = grad.const_data_ptr<float>();
  auto* values = weight.data_ptr<float>();
  if (options_.moments == MomentDtype::kF32) {
    moments::Adam(step, gradients, values, slot.m.data_ptr<float>(), slot.v.data_ptr<float>(),
                  weight.numel());
  } else {
    moments::Adam(step, gradients, values, Bf16Bits(slot.m), Bf16Bits(slot.v), weight.numel(),
                  RoundingKey(slot));
  }
}

void Optimizer::StepMuon(const Slot& slot, at::Tensor& weight, at::Tensor& grad, double lr,
                         double grad_scale) const {
  const moments::MomentumStep step{.gradient_scale = static_cast<float>(grad_scale),
                                   .factor = static_cast<float>(kMuonMomentum)};
  auto* gradients = grad.data_ptr<float>();
  if (options_.moments == MomentDtype::kF32) {
    moments::Momentum(step, gradients, slot.m.data_ptr<float>(), grad.numel());
  } else {
    moments::Momentum(step, gradients, Bf16Bits(slot.m), grad.numel(), RoundingKey(slot));
  }
  const at::Tensor update = Orthogonalize(grad, matrix_dtype_);
  const double size = MuonSize(weight);
  if (slot.decays) weight.mul_(1.0 - lr * options_.weight_decay);
  weight.add_(update, -lr * size);
}

std::vector<double> SquaredNorms(const std::vector<at::Tensor>& tensors, int num_threads) {
  std::vector<double> squares(tensors.size());
  ForEachWeight(tensors.size(), num_threads, [&](size_t i) {
    const double norm = tensors[i].norm().item<double>();
    squares[i] = norm * norm;
  });
  return squares;
}

double Optimizer::GradScale(double norm) const {
  const bool clips = options_.clip_norm > 0 && norm > options_.clip_norm;
  return clips ? options_.clip_norm / norm : 1.0;
}

double Optimizer::Step(WeightMap& weights, std::vector<at::Tensor>& grads, double lr,
                       int num_threads, std::optional<double> norm_of_all) {
  AIM_CHECK(grads.size() == slots_.size());
  for (const at::Tensor& grad : grads)
    AIM_CHECK(grad.is_contiguous() && grad.scalar_type() == at::kFloat);
  const auto own_norm = [&] {
    const std::vector<double> squares = SquaredNorms(grads, num_threads);
    return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
  };
  const double norm = norm_of_all ? *norm_of_all : own_norm();
  if (!std::isfinite(norm)) return norm;
  const double grad_scale = GradScale(norm);
  ++num_steps_;
  ForEachWeight(slots_.size(), num_threads, [&](size_t i) {
    const Slot& slot = slots_[i];
    at::Tensor& weight = weights.at(slot.name);
    if (slot.is_muon) {
      StepMuon(slot, weight, grads[i], lr, grad_scale);
    } else {
      StepAdam(slot, weight, grads[i], lr, grad_scale);
    }
  });
  return norm;
}

void Optimizer::StepQueued(WeightMap& weights, const std::vector<at::Tensor>& grads, double lr,
                           double norm) {
  AIM_CHECK(grads.size() == slots_.size() && options_.moments == MomentDtype::kF32);
  const c10::NoGradGuard no_grad;
  const double grad_scale = GradScale(norm);
  if (grad_scale != 1.0) at::_foreach_mul_(grads, grad_scale);
  ++num_steps_;
  for (const bool decays : {true, false}) StepAdamQueued(decays, weights, grads, lr);
  StepMuonQueued(weights, grads, lr);
}

void Optimizer::StepAdamQueued(bool decays, WeightMap& weights,
                               const std::vector<at::Tensor>& grads, double lr) {
  std::vector<at::Tensor> values, gradients, first, second;
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.is_muon || slot.decays != decays) continue;
    values.push_back(weights.at(slot.name));
    gradients.push_back(grads[i]);
    first.push_back(slot.m);
    second.push_back(slot.v);
  }
  if (values.empty()) return;
  const at::Tensor step =
      at::full({}, static_cast<double>(num_steps_), values[0].options().dtype(at::kFloat));
  const std::vector<at::Tensor> steps(values.size(), step);
  at::_fused_adamw_(values, gradients, first, second, {}, steps, lr, options_.beta1, options_.beta2,
                    decays ? options_.weight_decay : 0.0, kAdamEpsilon, /*amsgrad=*/false,
                    /*maximize=*/false);
}

void Optimizer::StepMuonQueued(WeightMap& weights, const std::vector<at::Tensor>& grads,
                               double lr) {
  for (const std::vector<size_t>& group : MuonGroups(weights)) {
    std::vector<at::Tensor> values, momenta, gradients;
    for (const size_t i : group) {
      values.push_back(weights.at(slots_[i].name));
      momenta.push_back(slots_[i].m);
      gradients.push_back(grads[i]);
    }
    at::_foreach_mul_(momenta, kMuonMomentum);
    at::_foreach_add_(momenta, gradients);
    at::_foreach_add_(gradients, momenta, kMuonMomentum);
    const std::vector<at::Tensor> updates =
        Orthogonalize(at::stack(gradients), matrix_dtype_).unbind();
    if (slots_[group[0]].decays) at::_foreach_mul_(values, 1.0 - lr * options_.weight_decay);
    at::_foreach_add_(values, updates, -lr * MuonSize(values[0]));
  }
}

// Matrices of one shape are worked on together, as far as their copies stay small.
std::vector<std::vector<size_t>> Optimizer::MuonGroups(const WeightMap& weights) const {
  constexpr int64_t kMostNumbers = int64_t{1} << 27;
  std::map<std::pair<int64_t, int64_t>, std::vector<std::vector<size_t>>> by_shape;
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].is_muon) continue;
    const at::Tensor& weight = weights.at(slots_[i].name);
    std::vector<std::vector<size_t>>& groups = by_shape[{weight.size(0), weight.size(1)}];
    const bool is_full =
        groups.empty() || (std::ssize(groups.back()) + 1) * weight.numel() > kMostNumbers;
    if (is_full) groups.emplace_back();
    groups.back().push_back(i);
  }
  std::vector<std::vector<size_t>> all;
  for (const auto& [shape, groups] : by_shape) all.insert(all.end(), groups.begin(), groups.end());
  return all;
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
  CheckWeights(state, ShapesOf(State()), where);
  const at::ScalarType dtype = DtypeOf(options_.moments);
  for (const auto& [name, moment] : state) {
    if (name == "step" || moment.scalar_type() == dtype) continue;
    throw InputError({.where = where + ": " + name,
                      .got = c10::toString(moment.scalar_type()),
                      .expected = std::string(c10::toString(dtype)) + ", as train.moments = " +
                                  std::string(ToWord(options_.moments)) + " says",
                      .fix = "resume with the train.moments that the run was begun with"});
  }
  for (Slot& slot : slots_) {
    slot.m.copy_(state.at(slot.name + "/m"));
    if (slot.v.defined()) slot.v.copy_(state.at(slot.name + "/v"));
  }
  num_steps_ = state.at("step").item<int64_t>();
}

}  // namespace aim
