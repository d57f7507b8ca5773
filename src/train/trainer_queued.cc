// What a trainer does where steps go into the queue of a device: TrainingDevice.
#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "aim/base/error.h"
#include "aim/diffusion/guidance_memory.h"
#include "aim/train/trainer.h"
#include "aim/train/training_memory.h"
#include "train/divided.h"
#include "train/step_feed.h"
#include "train/stopwatch.h"

namespace aim {
namespace {

// Of all of them together, [1] float64.
at::Tensor NormOf(const std::vector<at::Tensor>& tensors) {
  return at::stack(at::_foreach_norm(tensors)).to(at::kDouble).norm().view({1});
}

}  // namespace

// Clips stay on the device if nine tenths of what is free hold them beside a step.
std::unique_ptr<StepFeed> Trainer::MakeFeed(const LatentCache& cache) const {
  const SampleSize sample = LargestSample(cache, dit_, mixes_.ModesOf(cache));
  const TrainingMemory memory = EstimateMemory(dit_, options_, sample, {}, device_);
  const int64_t room =
      FreeMemoryBytes(device_.device) / 10 * 9 - memory.activations - memory.gradients;
  const auto plan = [options = options_, seed = seed_, mixes = mixes_, place = place_,
                     cache](int64_t train_step) {
    return PlanStep(options, seed, train_step, mixes.Over(cache), place.rank, place.size);
  };
  return std::make_unique<StepFeed>(
      cache, device_.device, std::min(device_.most_resident_bytes, std::max<int64_t>(0, room)),
      plan);
}

// Adds the gradient of one microbatch to sums_.
void Trainer::SumQueued(const StepPlan& plan, size_t microbatch, const Dit& dit,
                        const Leaves& leaves, const EncodedBatch& batch,
                        std::vector<at::Tensor>& losses) {
  const at::Tensor part = SampleLosses(dit, options_, plan.microbatches[microbatch], batch,
                                       null_text_, device_.draws_on_cpu);
  losses.push_back(part.detach());
  const at::Tensor loss = part.sum() / static_cast<double>(options_.batch_size);
  const std::vector<at::Tensor> gradients =
      torch::autograd::grad({loss}, leaves.list, {}, false, false, /*allow_unused=*/true);
  std::vector<at::Tensor> sums, defined;
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined()) continue;  // nothing depends on it
    sums.push_back(sums_[i]);
    defined.push_back(gradients[i]);
  }
  const c10::NoGradGuard no_grad;
  if (microbatch == 0) {
    at::_foreach_copy_(sums, defined);  // of bfloat16 as well in a few launches
  } else {
    at::_foreach_add_(sums, defined);
  }
}

void Trainer::UpdateAveragesQueued() {
  const c10::NoGradGuard no_grad;
  const std::vector<at::Tensor> weights = TensorsOf(weights_);
  const auto follow = [&](const WeightMap& average, double decay) {
    at::_foreach_lerp_(TensorsOf(average), weights, 1.0 - AverageDecay(decay));
  };
  if (options_.ema > 0) follow(average_, options_.ema);
  for (size_t i = 0; i < more_averages_.size(); ++i)
    follow(more_averages_[i], options_.more_ema[i]);
}

// The one wait of a step for its device: the losses of its samples, and the norm. Then what all
// ranks say: theirs is the norm of rank 0, as GPUs of several kinds may differ in its last bits.
void Trainer::FetchLosses(const StepPlan& plan, const std::vector<at::Tensor>& losses, Comm& comm,
                          bool asked_to_stop, StepReport& report) const {
  const at::Tensor fetched = at::cat(losses).to(at::kDouble).cpu();
  const auto* number = fetched.const_data_ptr<double>();
  for (const Microbatch& part : plan.microbatches) {
    for (const SampleDraw& draw : part) {
      report.losses.Add(draw, *number);
      if (!std::isfinite(*number)) report.not_finite.push_back(draw);
      report.loss += *number++ / static_cast<double>(options_.batch_size);
    }
  }
  const at::Tensor norm = at::tensor({comm.rank() == 0 ? *number : 0.0}, at::kDouble);
  report.grad_norm = ShareReport(norm, asked_to_stop, comm, report).item<double>();
}

StepReport Trainer::StepQueued(const LatentCache& cache, Comm& comm, bool asked_to_stop) {
  const Clock::time_point begin = Clock::now();
  const double waited_before_s = comm.wait_s();
  if (!feed_) feed_ = MakeFeed(cache);
  AIM_CHECK(cache.key() == feed_->cache().key() && cache.size() == feed_->cache().size());
  const StepFeed::Step step = feed_->Take(train_step_);
  const StepPlan& plan = step.plan;
  StepReport report;
  report.data_s = SecondsSince(begin);
  if (sums_.empty()) {
    for (const auto& [name, weight] : weights_) sums_.push_back(at::empty_like(weight));
  }
  at::_foreach_zero_(sums_);
  std::vector<at::Tensor> losses;  // of each sample
  {
    const AttentionOfAnySize attention(options_);
    const Leaves leaves = MakeLeaves();
    const Dit dit = MakeDit(frozen_compute_, leaves.named, compute_dtype_);
    for (size_t i = 0; i < plan.microbatches.size(); ++i)
      SumQueued(plan, i, dit, leaves, feed_->BatchOf(step, i), losses);
  }
  // What it still computes is no waiting for other ranks.
  if (comm.size() > 1 && !device_.device.is_cpu())
    at::accelerator::synchronizeDevice(device_.device.index());
  comm.SumInPlace(sums_);
  losses.push_back(NormOf(sums_));
  FetchLosses(plan, losses, comm, asked_to_stop, report);
  report.lr = plan.lr;
  report.is_lost = !std::isfinite(report.grad_norm);
  if (!report.is_lost) {
    optimizer_.StepQueued(weights_, sums_, report.lr, report.grad_norm);
    UpdateAveragesQueued();
  }
  ++train_step_;
  report.work_s = SecondsSince(begin) - report.data_s;
  NoteTime(report.data_s + report.work_s, comm.wait_s() - waited_before_s, plan);
  CountLost(report, plan, cache);
  return report;
}

}  // namespace aim
