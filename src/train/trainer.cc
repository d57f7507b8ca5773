#include "aim/train/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/memory.h"
#include "aim/base/parallel.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"
#include "aim/tensor/sealed_weights.h"
#include "train/divided.h"
#include "train/ordered_sum.h"
#include "train/overlapped_sum.h"
#include "train/step_feed.h"
#include "train/stopwatch.h"

namespace aim {
namespace {

// Of memory that is kept for the next step: microbatches of many shapes leave pieces that fit none,
// tens of megabytes a step.
constexpr int64_t kStepsBetweenReturns = 32;

constexpr int64_t kMostSteps = int64_t{1} << 53;

// Moves what is trained out of `weights`, and begins the adapter.
WeightMap TakeTrained(WeightMap& weights, const DitOptions& dit, const TrainOptions& options,
                      uint64_t seed) {
  WeightMap trained;
  for (const std::string& name : TrainedNames(DitWeightShapes(dit), options))
    trained.insert(weights.extract(name));
  if (options.lora.rank > 0)
    trained.merge(InitialLora(dit, options.lora, Rng(seed).Derive(0, "lora")).weights);
  return trained;
}

// "push_button/variation0/episode3 (i2a), ... and 4 more", of a step's samples.
std::string NamesOf(const std::vector<SampleDraw>& samples, const LatentCache& cache) {
  constexpr size_t kMostNames = 4;
  std::vector<std::string> names;
  for (const SampleDraw& sample : samples) {
    std::string name = cache.EpisodeName(sample.clip) + " (" + sample.mode->name + ")";
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  const size_t num_more = names.size() - std::min(names.size(), kMostNames);
  names.resize(names.size() - num_more);
  return Join(names) + (num_more > 0 ? " and " + std::to_string(num_more) + " more" : "");
}

// Where to look: the samples whose own loss is not finite, else all that this rank had.
std::string Suspects(const StepReport& report, const StepPlan& plan, const LatentCache& cache) {
  if (!report.not_finite.empty())
    return "the loss itself is not of " + NamesOf(report.not_finite, cache);
  std::vector<SampleDraw> all;
  for (const Microbatch& part : plan.microbatches) all.insert(all.end(), part.begin(), part.end());
  if (all.empty()) return "another rank had all of its samples";
  return "the loss is of each sample: " + NamesOf(all, cache);
}

std::vector<at::Tensor> GradientsOf(const at::Tensor& loss, const std::vector<at::Tensor>& leaves) {
  return torch::autograd::grad({loss}, leaves, {}, false, false, true);
}

// Gradients of leaves that are nobody else's, each as soon as it is known.
void HandOver(const at::Tensor& loss, const std::vector<at::Tensor>& leaves,
              const std::function<void(size_t, const at::Tensor&)>& take) {
  for (size_t i = 0; i < leaves.size(); ++i)
    leaves[i].register_hook([&take, i](const at::Tensor& gradient) { take(i, gradient); });
  const std::vector<at::Tensor> gradients = GradientsOf(loss, leaves);
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!gradients[i].defined()) take(i, {});  // nothing depends on it
  }
}

WeightMap CopyOf(const WeightMap& weights) {
  WeightMap copy;
  for (const auto& [name, weight] : weights) copy[name] = weight.clone();
  return copy;
}

WeightMap On(c10::Device device, WeightMap weights) {
  for (auto& [name, weight] : weights) weight = weight.to(device);
  return weights;
}

}  // namespace

at::ScalarType LeafDtype(const std::string& name, const at::Tensor& weight,
                         at::ScalarType compute_dtype) {
  if (weight.dim() < 2) return at::kFloat;
  return DitWeightDtype(name, compute_dtype, Numerics::kAccurate);
}

at::ScalarType ResolveDtype(ComputeDtype dtype, c10::Device device) {
  if (dtype == ComputeDtype::kF32) return at::kFloat;
  if (dtype == ComputeDtype::kBf16 || !device.is_cpu()) return at::kBFloat16;
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") ? at::kBFloat16 : at::kFloat;
#else
  return at::kFloat;
#endif
}

std::vector<std::string> TrainedNames(const ShapeMap& network, const TrainOptions& options) {
  std::vector<std::string> names;
  for (const auto& [name, shape] : network) names.push_back(name);
  if (options.trained.empty() && options.lora.rank == 0) return names;
  return NamesThatHold(names, options.trained, "train.trained");
}

Trainer::Trainer(TrainedNetwork network, const TrainOptions& options, uint64_t seed,
                 const RankPlace& place, const TrainingDevice& device)
    : dit_(network.dit),
      options_(options),
      mixes_(options),
      seed_(seed),
      place_(place),
      device_(device),
      compute_dtype_(ResolveDtype(options.dtype, device.device)),
      weights_(On(device.device, TakeTrained(network.weights, dit_, options, seed))),
      owners_(OwnersOf(ShapesOf(weights_), place.size)),
      frozen_(std::move(network.weights)),
      null_text_(network.null_text.to(device.device)),
      optimizer_(options, OwnOf(weights_), compute_dtype_, seed) {
  if (device.is_queued) RequireQueueable(options);
  if (options.ema > 0) average_ = CopyOf(OwnOf(weights_));
  for (size_t i = 0; i < options.more_ema.size(); ++i) more_averages_.push_back(CopyOf(weights_));
  for (const auto& [name, weight] : frozen_)
    frozen_compute_[name] = weight.to(device.device, LeafDtype(name, weight, compute_dtype_));
}

Trainer::Trainer(Trainer&& other) noexcept = default;
Trainer::~Trainer() = default;

Dit Trainer::MakeDit(const WeightMap& frozen, const WeightMap& trained,
                     at::ScalarType dtype) const {
  WeightMap named = frozen;
  Lora adapter{.scale = options_.lora.scale()};
  for (const auto& [name, weight] : trained)
    (LoraMatrix(name) ? adapter.weights : named)[name] = weight;
  Dit dit(dit_, named, dtype);
  AttachLora(dit, adapter);
  return dit;
}

Dit Trainer::ShippedDit() const {
  if (!device_.is_queued) return MakeDit(frozen_, averaged_weights(), at::kFloat);
  WeightMap average = averaged_weights();
  for (auto& [name, weight] : average) weight = weight.to(LeafDtype(name, weight, compute_dtype_));
  return MakeDit(frozen_compute_, average, compute_dtype_);
}

WeightMap Trainer::NetworkOf(const WeightMap& trained) const {
  WeightMap named = frozen_;
  for (const auto& [name, weight] : trained) {
    if (!LoraMatrix(name)) named[name] = weight;
  }
  return named;
}

Lora Trainer::AdapterOf(const WeightMap& trained) const {
  Lora adapter{.scale = options_.lora.scale()};
  for (const auto& [name, weight] : trained) {
    if (LoraMatrix(name)) adapter.weights[name] = weight;
  }
  return adapter;
}

Trainer::Leaves Trainer::MakeLeaves() const {
  Leaves leaves;
  for (const auto& [name, weight] : weights_) {
    const at::ScalarType dtype = LeafDtype(name, weight, compute_dtype_);
    leaves.list.push_back(weight.detach().to(dtype).requires_grad_(true));
    leaves.named[name] = leaves.list.back();
  }
  return leaves;
}

void Trainer::MakeGradients(std::span<const Microbatch> parts, const LatentCache& cache,
                            int num_workers, StepReport& report,
                            const std::function<void(int64_t, const MakeGradient&)>& take) const {
  std::vector<at::Tensor> losses(parts.size());  // of each sample
  std::vector<double> data_s(parts.size()), work_s(parts.size());
  const Leaves leaves = MakeLeaves();
  const Dit dit = MakeDit(frozen_compute_, leaves.named, compute_dtype_);
  const auto loss_of = [&](const Dit& network, size_t i) {
    std::vector<int64_t> indices;
    for (const SampleDraw& draw : parts[i]) indices.push_back(draw.clip);
    const Clock::time_point begin = Clock::now();
    const EncodedBatch batch = cache.Get(indices);
    data_s[i] = SecondsSince(begin);
    const at::Tensor part_losses = SampleLosses(network, options_, parts[i], batch, null_text_);
    losses[i] = part_losses.detach();
    return part_losses.sum() / static_cast<double>(options_.batch_size);
  };
  ParallelFor(static_cast<int64_t>(parts.size()), num_workers, [&](int64_t i) {
    at::set_num_threads(1);
    const auto part = static_cast<size_t>(i);
    take(i, [&](const TakeTensor& take_tensor) {
      const Clock::time_point begin = Clock::now();
      std::vector<at::Tensor> gradients;
      if (take_tensor) {
        WeightMap own;  // other threads' passes must not meet its hooks
        for (const auto& [name, leaf] : leaves.named)
          own[name] = leaf.detach().requires_grad_(true);
        const Dit own_dit = MakeDit(frozen_compute_, own, compute_dtype_);
        HandOver(loss_of(own_dit, part), TensorsOf(own), take_tensor);
      } else {
        gradients = GradientsOf(loss_of(dit, part), leaves.list);
      }
      work_s[part] = SecondsSince(begin) - data_s[part];
      return gradients;
    });
  });
  report.data_s += std::accumulate(data_s.begin(), data_s.end(), 0.0);
  report.work_s += std::accumulate(work_s.begin(), work_s.end(), 0.0);
  for (size_t i = 0; i < parts.size(); ++i) {
    for (size_t j = 0; j < parts[i].size(); ++j) {
      const auto loss = losses[i][static_cast<int64_t>(j)].item<double>();
      report.losses.Add(parts[i][j], loss);
      if (!std::isfinite(loss)) report.not_finite.push_back(parts[i][j]);
    }
    report.loss += losses[i].sum().item<double>() / static_cast<double>(options_.batch_size);
  }
}

std::vector<at::Tensor> Trainer::Gradients(std::span<const Microbatch> parts,
                                           const LatentCache& cache, int num_workers,
                                           StepReport& report) const {
  OrderedSum sum(TensorsOf(weights_));
  MakeGradients(parts, cache, num_workers, report,
                [&](int64_t i, const MakeGradient& make) { sum.Add(i, [&] { return make({}); }); });
  return std::move(sum.tensors());
}

std::vector<at::Tensor> Trainer::GradientsOfAll(std::span<const Microbatch> parts,
                                                const LatentCache& cache, int num_workers,
                                                Comm& comm, StepReport& report) const {
  constexpr int64_t kGroupBytes = int64_t{16} << 20;
  OrderedSum sum(TensorsOf(weights_));
  OverlappedSum of_all(sum.tensors(),
                       GroupsInOrder(BackwardOrder(weights_), sum.tensors(), kGroupBytes), comm);
  const auto last = static_cast<int64_t>(parts.size()) - 1;
  MakeGradients(parts, cache, num_workers, report, [&](int64_t i, const MakeGradient& make) {
    if (i < last) return sum.Add(i, [&] { return make({}); });
    sum.AddByTensor(i, [&](const OrderedSum::AddTensor& add) {
      make([&](size_t tensor, const at::Tensor& gradient) {
        if (gradient.defined()) add(tensor, gradient);
        of_all.Ready(tensor);
      });
    });
  });
  of_all.Finish();
  return std::move(sum.tensors());
}

// A short average at the start: the first weights should not linger.
double Trainer::AverageDecay(double decay) const {
  const auto num_steps = static_cast<double>(train_step_);
  return std::min(decay, (1.0 + num_steps) / (10.0 + num_steps));
}

void Trainer::UpdateAverages(int num_workers) {
  std::vector<std::string> names;
  for (size_t i = 0; const auto& [name, weight] : weights_) {
    if (Owns(i++)) names.push_back(name);
  }
  ParallelFor(static_cast<int64_t>(names.size()), num_workers, [&](int64_t i) {
    const c10::NoGradGuard no_grad;
    const std::string& name = names[static_cast<size_t>(i)];
    const at::Tensor& weight = weights_.at(name);
    const auto follow = [&](WeightMap& average, double decay) {
      average.at(name).lerp_(weight, 1.0 - AverageDecay(decay));
    };
    if (options_.ema > 0) follow(average_, options_.ema);
    for (size_t j = 0; j < more_averages_.size(); ++j)
      follow(more_averages_[j], options_.more_ema[j]);
  });
}

int NumTrainingWorkers(const TrainOptions& options, int local_ranks) {
  if (options.num_workers > 0) return options.num_workers;
  return std::max(1, NumProcessors() / local_ranks);
}

at::Tensor Trainer::ShareReport(const at::Tensor& more, bool asked_to_stop, Comm& comm,
                                StepReport& report) const {
  std::vector<at::Tensor> told = {report.losses.AsTensor(),
                                  at::tensor({report.loss, asked_to_stop ? 1.0 : 0.0}, at::kDouble),
                                  OwnTime()};
  if (more.defined()) told.push_back(more);
  comm.SumInPlace(told);
  report.losses = LossTally::Of(told[0]);
  report.loss = told[1][0].item<double>();
  report.stops = told[1][1].item<double>() > 0;
  report.rank_times = TimesOf(told[2]);
  return told.back();
}

void Trainer::NoteTime(double step_s, double wait_s, const StepPlan& plan) {
  last_time_ = {.compute_s = step_s - wait_s, .wait_s = wait_s, .num_samples = 0};
  for (const Microbatch& part : plan.microbatches)
    last_time_.num_samples += static_cast<double>(part.size());
}

StepReport Trainer::Step(const LatentCache& cache, Comm& comm, bool asked_to_stop) {
  if (device_.is_queued) return StepQueued(cache, comm, asked_to_stop);
  const StepPlan plan =
      PlanStep(options_, seed_, train_step_, mixes_.Over(cache), comm.rank(), comm.size());
  const int workers = NumTrainingWorkers(options_, comm.local_size());
  const Clock::time_point begin = Clock::now();
  const double waited_before_s = comm.wait_s();
  whole_average_.clear();
  StepReport report;
  const std::vector<Microbatch>& parts = plan.microbatches;
  std::vector<at::Tensor> grads = is_divided() ? OwnGradients(parts, cache, workers, comm, report)
                                  : comm.size() > 1
                                      ? GradientsOfAll(parts, cache, workers, comm, report)
                                      : Gradients(parts, cache, workers, report);
  std::optional<double> norm;
  if (is_divided()) {
    norm = NormOf(ShareReport(SquaresOfOwn(grads, workers), asked_to_stop, comm, report));
  } else {
    ShareReport({}, asked_to_stop, comm, report);
  }
  for (at::Tensor& grad : grads) grad = grad.to(at::kFloat);
  report.lr = plan.lr;
  report.grad_norm = optimizer_.Step(weights_, grads, report.lr, workers, norm);
  report.is_lost = !std::isfinite(report.grad_norm);
  if (!report.is_lost) {
    UpdateAverages(workers);
    if (is_divided()) BroadcastFromOwners(TensorsOf(weights_), owners_, comm);
  }
  ++train_step_;
  NoteTime(SecondsSince(begin), comm.wait_s() - waited_before_s, plan);
  CountLost(report, plan, cache);
  if (train_step_ % kStepsBetweenReturns == 0) ReturnFreedMemory();
  return report;
}

void Trainer::CountLost(const StepReport& report, const StepPlan& plan, const LatentCache& cache) {
  num_lost_in_a_row_ = report.is_lost ? num_lost_in_a_row_ + 1 : 0;
  if (!report.is_lost) return;
  const std::string step = "step " + std::to_string(train_step_);
  if (num_lost_in_a_row_ <= options_.max_lost_steps) {
    LogWarning(step + " is left out: its gradient is not finite (loss " +
               std::to_string(report.loss) + "); " + Suspects(report, plan, cache));
    return;
  }
  throw InputError({.where = "the gradient of " + step,
                    .got = "not finite, as those of the " +
                           CountText(num_lost_in_a_row_ - 1, "step") + " before it (" +
                           Suspects(report, plan, cache) + ")",
                    .expected = "at most " + std::to_string(options_.max_lost_steps) +
                                " such steps in a row (train.max_lost_steps)",
                    .fix = "lower train.lr or look at the data; --resume goes on from the last "
                           "checkpoint"});
}

TrainerState Trainer::State() const {
  return {.train_step = train_step_,
          .seed = seed_,
          .weights = weights_,
          .average = average_,
          .more_averages = more_averages_,
          .more_decays = options_.more_ema,
          .moments = optimizer_.State()};
}

void Trainer::Load(const std::filesystem::path& dir) {
  const auto load = [&](const std::string& file, const ShapeMap& shapes) {
    WeightMap tensors = OpenSealed(dir / file).tensors;
    CheckWeights(tensors, shapes, (dir / file).string());
    return tensors;
  };
  const auto take = [](const WeightMap& from, WeightMap& into) {
    for (auto& [name, tensor] : into) tensor.copy_(from.at(name));
  };
  const ShapeMap shapes = ShapesOf(weights_);
  const WeightMap weights = load("weights.safetensors", shapes);
  WeightMap average;
  if (options_.ema > 0) average = load("average.safetensors", shapes);
  WeightMap moments = load("optimizer.safetensors", ShapesOf(FormOfMoments()));
  take(weights, weights_);
  take(average, average_);
  for (size_t i = 0; i < more_averages_.size(); ++i)
    take(load(AverageFile(options_.more_ema[i]), shapes), more_averages_[i]);
  optimizer_.LoadState(OwnOf(moments), (dir / "optimizer.safetensors").string());
  LoadState(dir / "state.json");
  if (is_divided()) loaded_ = {std::move(average), std::move(moments)};
}

void Trainer::LoadState(const std::filesystem::path& file) {
  const nlohmann::json state = ParseJson(ReadFile(file));
  const auto is_count = [&](const char* key) {
    return state.is_object() && state.contains(key) && state[key].is_number_unsigned();
  };
  if (!is_count("train_step") || !is_count("seed") || state["train_step"] > kMostSteps) {
    throw FormatError({file.string(), "damaged", "a JSON object with train_step and seed", ""});
  }
  const uint64_t seed = state["seed"];
  if (seed != seed_) {
    throw ConfigError({"--seed", std::to_string(seed_),
                       std::to_string(seed) + ", with which the run in " +
                           file.parent_path().string() + " was begun",
                       "add --seed " + std::to_string(seed)});
  }
  train_step_ = state["train_step"];
}

}  // namespace aim
