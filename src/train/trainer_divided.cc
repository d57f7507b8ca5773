// What a trainer does where ranks have divided moments and averages among themselves: train.zero.
#include <ATen/ATen.h>

#include <algorithm>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/tensor/sealed_weights.h"
#include "aim/train/trainer.h"
#include "train/divided.h"
#include "train/ordered_sum.h"

namespace aim {
namespace {

// "blocks.0.ffn.0.weight" of "blocks.0.ffn.0.weight/m".
std::string WeightOfMoment(const std::string& moment) {
  return moment.substr(0, moment.rfind('/'));
}

}  // namespace

const WeightMap& Trainer::averaged_weights() const {
  if (options_.ema <= 0) return weights_;
  return whole_average_.empty() ? average_ : whole_average_;
}

int Trainer::OwnerOfTrained(const std::string& name) const {
  const auto found = weights_.find(WeightOfMoment(name));
  if (found == weights_.end()) return 0;  // the optimizer's own count
  return owners_[static_cast<size_t>(std::distance(weights_.begin(), found))];
}

WeightMap Trainer::OwnOf(const WeightMap& trained) const {
  if (!is_divided()) return trained;
  WeightMap own;
  for (const auto& [name, tensor] : trained) {
    const bool is_count = !weights_.contains(WeightOfMoment(name));
    if (is_count || OwnerOfTrained(name) == place_.rank) own[name] = tensor;
  }
  return own;
}

WeightMap Trainer::FormOfMoments() const {
  WeightMap form;
  for (const auto& [name, weight] : weights_)
    form[name] = at::empty_like(weight, weight.options().device(at::kMeta));
  return Optimizer(options_, form, compute_dtype_, seed_).State();
}

at::Tensor Trainer::SquaresOfOwn(const std::vector<at::Tensor>& own_grads, int num_workers) const {
  std::vector<double> squares;
  const std::vector<double> own = SquaredNorms(own_grads, num_workers);
  for (size_t i = 0, of_own = 0; i < weights_.size(); ++i)
    squares.push_back(Owns(i) ? own[of_own++] : 0);
  return at::tensor(squares, at::kDouble);
}

at::Tensor Trainer::OwnTime() const {
  at::Tensor told = at::zeros({place_.size, 3}, at::kDouble);
  told[place_.rank].copy_(
      at::tensor({last_time_.compute_s, last_time_.wait_s, last_time_.num_samples}, at::kDouble));
  return told;
}

std::vector<RankTime> Trainer::TimesOf(const at::Tensor& told) {
  std::vector<RankTime> times;
  for (int64_t rank = 0; rank < told.size(0) && told.size(0) > 1; ++rank) {
    const at::Tensor row = told[rank];
    times.push_back({row[0].item<double>(), row[1].item<double>(), row[2].item<double>()});
  }
  return times;
}

// Stage 1: once, when all microbatches are added up. Stage 2: every microbatch of a worker as it is
// made, so that no sum of what others own is ever held.
std::vector<at::Tensor> Trainer::OwnGradients(const std::vector<Microbatch>& parts,
                                              const LatentCache& cache, int num_workers, Comm& comm,
                                              StepReport& report) const {
  const std::vector<at::Tensor> like = TensorsOf(weights_);
  int64_t count = 0;
  for (const at::Tensor& tensor : like) count += tensor.numel();
  const at::ScalarType dtype = SumDtype(count, at::kFloat);
  std::vector<at::Tensor> sums(like.size());
  if (options_.zero == 1) {
    std::vector<std::vector<at::Tensor>> sum = {Gradients(parts, cache, num_workers, report)};
    sums = SumToOwners(sum, like, owners_, dtype, comm);
  } else {
    const auto most = static_cast<size_t>(num_workers);
    const size_t own_rounds = (parts.size() + most - 1) / most;
    const std::vector<double> rounds = TellAll(static_cast<double>(own_rounds), comm);
    const auto num_rounds = static_cast<size_t>(*std::max_element(rounds.begin(), rounds.end()));
    for (size_t round = 0; round < num_rounds; ++round) {
      const size_t begin = std::min(parts.size(), round * most);
      const auto now = std::span(parts).subspan(begin, std::min(most, parts.size() - begin));
      std::vector<std::vector<at::Tensor>> made(now.size());
      MakeGradients(now, cache, num_workers, report, [&](int64_t i, const MakeGradient& make) {
        made[static_cast<size_t>(i)] = make({});
      });
      const std::vector<at::Tensor> more = SumToOwners(made, like, owners_, dtype, comm);
      for (size_t i = 0; i < sums.size(); ++i) {
        if (more[i].defined()) sums[i] = sums[i].defined() ? sums[i].add_(more[i]) : more[i];
      }
    }
  }
  std::vector<at::Tensor> own;
  for (const at::Tensor& sum : sums) {
    if (sum.defined()) own.push_back(sum.to(at::kFloat));
  }
  return own;
}

void Trainer::TakeStateOfRank0(Comm& comm) {
  std::vector<at::Tensor> tensors = TensorsOf(weights_);
  tensors.push_back(at::tensor({train_step_}, at::kLong));
  WeightMap moments = optimizer_.State();
  if (!is_divided()) {
    std::vector<const WeightMap*> sets = {&average_, &moments};
    for (const WeightMap& average : more_averages_) sets.push_back(&average);
    for (const WeightMap* more : sets) {
      for (const auto& [name, tensor] : *more) tensors.push_back(tensor);
    }
  } else {
    tensors.push_back(moments.at("step"));
  }
  const size_t step = weights_.size();
  comm.Broadcast(0, tensors);
  train_step_ = tensors[step].item<int64_t>();
  if (is_divided()) {
    moments["step"] = tensors.back();
    const bool is_loaded = train_step_ > 0;
    const auto owner = [&](const std::string& name) { return OwnerOfTrained(name); };
    if (is_loaded) {
      if (options_.ema > 0) ScatterFromRank0(loaded_.average, average_, owner, comm);
      ScatterFromRank0(loaded_.moments, moments, owner, comm);
    } else {
      for (auto& [name, average] : average_) average.copy_(weights_.at(name));
    }
    loaded_ = {};
  }
  optimizer_.LoadState(moments, "the state of rank 0");
}

void Trainer::GatherAverage(Comm& comm) {
  if (!is_divided() || options_.ema <= 0) return;
  whole_average_ = GatherToRank0(
      weights_, average_, [&](const std::string& name) { return OwnerOfTrained(name); }, comm);
}

void Trainer::SaveDivided(const std::filesystem::path& dir, Comm& comm) const {
  const auto owner = [&](const std::string& name) { return OwnerOfTrained(name); };
  const auto write = [&](const std::filesystem::path& folder) {
    if (comm.rank() == 0) WriteSealed(folder / "weights.safetensors", weights_);
    if (options_.ema > 0)
      WriteDivided(folder / "average.safetensors", weights_, average_, owner, comm);
    WriteDivided(folder / "optimizer.safetensors", FormOfMoments(), optimizer_.State(), owner,
                 comm);
    if (comm.rank() == 0) WriteProgress(folder / "state.json", train_step_, seed_);
  };
  if (comm.rank() == 0) return WriteFolderAtomic(dir, write);
  write({});
}

}  // namespace aim
