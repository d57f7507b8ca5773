// Masked latent training: one step, its state, and saving it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "aim/cache/latent_cache.h"
#include "aim/diffusion/canvas.h"
#include "aim/train/comm.h"
#include "aim/train/data_mixes.h"
#include "aim/train/loss_tally.h"
#include "aim/train/optimizer.h"
#include "aim/train/shares.h"
#include "aim/train/step_plan.h"
#include "aim/train/trainer_state.h"
#include "aim/train/training_device.h"

namespace aim {

// Of each sample the mean loss of what is not given, [B] float32, differentiable:
// (prediction - target)^2, video latents weighted, clean predictions divided by
// max(sigma, sigma_floor)^2, times the weight of its noise level. docs/reference/small-model.md
// section 3. All on the device of the network; its noise is drawn there, unless `draws_on_cpu`.
at::Tensor SampleLosses(const Dit& dit, const TrainOptions& options,
                        const std::vector<SampleDraw>& draws, const EncodedBatch& batch,
                        const at::Tensor& null_text, bool draws_on_cpu = false);

// Of one rank in one step.
struct RankTime {
  double compute_s = 0;
  double wait_s = 0;  // in calls to Comm: for others, and for the network
  double num_samples = 0;
};

struct StepReport {
  double loss = 0;       // mean over the batch
  double grad_norm = 0;  // before clipping
  double lr = 0;
  bool is_lost = false;  // the gradient was not finite: nothing was changed
  bool stops = false;    // a rank was asked to stop: all do after this step
  LossTally losses = {};
  double data_s = 0;  // that the workers of this process spent fetching clips, all together,
  double work_s = 0;  // and in forward and backward passes; of a queued step all the rest
  std::vector<SampleDraw> not_finite = {};  // samples of this rank whose loss is not
  std::vector<RankTime> rank_times = {};    // by rank, of the step before; none of a process alone
};

// The network that is trained, as it begins, and what an empty prompt is to it.
struct TrainedNetwork {
  DitOptions dit;
  WeightMap weights;
  at::Tensor null_text;  // [L, D]
};

// Names of the network's weights that the options train: all, those that TrainOptions::trained
// names, or none beside an adapter. Throws ConfigError for a word that names none.
std::vector<std::string> TrainedNames(const ShapeMap& network, const TrainOptions& options);

class StepFeed;

class Trainer {
 public:
  // With options.lora a new adapter is trained, which begins without effect. With options.zero
  // moments and averages are divided among the ranks, of which this is the one at `place`. What is
  // trained, and what a forward pass reads, is on `device`; frozen weights stay where they were
  // given as well. Throws ConfigError for options that name no weight, or that a queued step
  // cannot have.
  Trainer(TrainedNetwork network, const TrainOptions& options, uint64_t seed,
          const RankPlace& place = {}, const TrainingDevice& device = {});
  Trainer(Trainer&& other) noexcept;
  ~Trainer();

  // One optimizer step; all ranks take it together and have the same weights after it. The result
  // depends on (weights, seed, step, cache, number of ranks), not on the number of workers (of
  // ranks at zero = 2 it does where sums are float32). A step whose gradient is not finite is left
  // out; throws InputError when that happened more than options.max_lost_steps times in a row.
  // Queued steps are all of the cache that the first one had.
  StepReport Step(const LatentCache& cache, Comm& comm, bool asked_to_stop = false);

  // Weights, averages, moments and step become those of rank 0, or what rank 0 has loaded for those
  // that have them; all ranks call it.
  void TakeStateOfRank0(Comm& comm);

  // Whether this process has a part of moments and averages only. Then what is validated, shipped
  // or saved takes all ranks, which call the same at the same time.
  bool is_divided() const { return options_.zero > 0 && place_.size > 1; }
  // Rank 0 has the whole average until the next step.
  void GatherAverage(Comm& comm);
  bool has_whole_average() const {
    return !is_divided() || options_.ema <= 0 || !whole_average_.empty();
  }
  // As Save; `dir` means nothing to other ranks than 0.
  void SaveDivided(const std::filesystem::path& dir, Comm& comm) const;

  int64_t train_step() const { return train_step_; }
  // What is trained: weights of the network by their names, and factors of its adapter.
  const WeightMap& weights() const { return weights_; }
  // Of a divided run this process's part, or on rank 0 all that GatherAverage has brought.
  const WeightMap& averaged_weights() const;
  // Those of options.more_ema, in its order.
  const std::vector<WeightMap>& more_averages() const { return more_averages_; }

  // What is validated and shipped, averaged: the network with its adapter, in float32, or on a
  // device that is queued as steps compute it; its own weights, and the adapter, without weights if
  // there is none.
  Dit ShippedDit() const;
  WeightMap ShippedWeights() const { return NetworkOf(averaged_weights()); }
  Lora ShippedAdapter() const { return AdapterOf(averaged_weights()); }
  // The same with `trained` in place of the average.
  WeightMap NetworkOf(const WeightMap& trained) const;
  Lora AdapterOf(const WeightMap& trained) const;

  // Shares its tensors with the trainer: the next step changes them.
  TrainerState State() const;
  void Save(const std::filesystem::path& dir) const { WriteState(State(), dir); }
  // Throws InputError for files that do not fit, ConfigError if they are of another seed.
  void Load(const std::filesystem::path& dir);

 private:
  // Makes the gradient of a microbatch; where it gets `take`, it hands over one tensor after
  // another as the backward pass is through with it, an undefined one being zero, and returns
  // nothing.
  using TakeTensor = std::function<void(size_t, const at::Tensor&)>;
  using MakeGradient = std::function<std::vector<at::Tensor>(const TakeTensor& take)>;

  // Gradient of the mean loss over the whole batch, in the order of weights_, as far as each of
  // `parts` makes it: threads hand to `take` its number and what makes it. The report gets that
  // loss and those of its samples.
  void MakeGradients(std::span<const Microbatch> parts, const LatentCache& cache, int num_workers,
                     StepReport& report,
                     const std::function<void(int64_t, const MakeGradient&)>& take) const;
  // What a step differentiates by: the weights in the types in which a forward pass reads them.
  struct Leaves {
    WeightMap named;
    std::vector<at::Tensor> list;  // the same
  };
  Leaves MakeLeaves() const;
  // The steps of a device that is queued: trainer_queued.cc.
  StepReport StepQueued(const LatentCache& cache, Comm& comm, bool asked_to_stop);
  void FetchLosses(const StepPlan& plan, const std::vector<at::Tensor>& losses, Comm& comm,
                   bool asked_to_stop, StepReport& report) const;
  std::unique_ptr<StepFeed> MakeFeed(const LatentCache& cache) const;
  void SumQueued(const StepPlan& plan, size_t microbatch, const Dit& dit, const Leaves& leaves,
                 const EncodedBatch& batch, std::vector<at::Tensor>& losses);
  void UpdateAveragesQueued();
  double AverageDecay(double decay) const;
  // Their sum.
  std::vector<at::Tensor> Gradients(std::span<const Microbatch> parts, const LatentCache& cache,
                                    int num_workers, StepReport& report) const;
  // The sum over all ranks: exchanged while the backward pass of the last microbatch goes on.
  std::vector<at::Tensor> GradientsOfAll(std::span<const Microbatch> parts,
                                         const LatentCache& cache, int num_workers, Comm& comm,
                                         StepReport& report) const;
  // The sum over all ranks, float32, of the weights that this one owns.
  std::vector<at::Tensor> OwnGradients(const std::vector<Microbatch>& parts,
                                       const LatentCache& cache, int num_workers, Comm& comm,
                                       StepReport& report) const;
  // Of all weights the squares of their gradients' norms, 0 for what others own.
  at::Tensor SquaresOfOwn(const std::vector<at::Tensor>& own_grads, int num_workers) const;
  bool Owns(size_t index) const { return !is_divided() || owners_[index] == place_.rank; }
  WeightMap OwnOf(const WeightMap& trained) const;
  int OwnerOfTrained(const std::string& name) const;
  // Names, types and shapes of all moments; no memory is behind them.
  WeightMap FormOfMoments() const;
  // Makes of a report of this rank that of all, and returns the sum of `more` over them.
  at::Tensor ShareReport(const at::Tensor& more, bool asked_to_stop, Comm& comm,
                         StepReport& report) const;
  // Of the step that is done, for the report of the next.
  void NoteTime(double step_s, double wait_s, const StepPlan& plan);
  // What this rank tells the others about its last step, and what all have told.
  at::Tensor OwnTime() const;
  static std::vector<RankTime> TimesOf(const at::Tensor& told);
  void CountLost(const StepReport& report, const StepPlan& plan, const LatentCache& cache);
  void UpdateAverages(int num_workers);
  // The network of frozen weights and trained ones, the adapter's among them.
  Dit MakeDit(const WeightMap& frozen, const WeightMap& trained, at::ScalarType dtype) const;
  void LoadState(const std::filesystem::path& file);

  DitOptions dit_;
  TrainOptions options_;
  DataMixes mixes_;
  uint64_t seed_;
  RankPlace place_;
  TrainingDevice device_;
  at::ScalarType compute_dtype_;
  WeightMap weights_;
  std::vector<int> owners_;  // in the order of weights_, if they are divided
  WeightMap average_;        // of what this rank owns; empty with options_.ema = 0
  std::vector<WeightMap> more_averages_;
  WeightMap whole_average_;  // on rank 0, until the next step
  struct Loaded {            // on rank 0, mapped files, until the others have what they own
    WeightMap average;
    WeightMap moments;
  };
  Loaded loaded_;
  WeightMap frozen_;          // as they were given
  WeightMap frozen_compute_;  // as a forward pass reads them
  at::Tensor null_text_;
  Optimizer optimizer_;
  std::unique_ptr<StepFeed> feed_;  // of queued steps, as sums_ are
  std::vector<at::Tensor> sums_;    // of gradients, in the order of weights_
  RankTime last_time_;
  int64_t train_step_ = 0;
  int num_lost_in_a_row_ = 0;
};

// Threads of a process that shares its host with others of its run: TrainOptions::num_workers, or
// its part of the cores.
int NumTrainingWorkers(const TrainOptions& options, int local_ranks);

// float32 or bfloat16 as TrainOptions::dtype says; kAuto: bfloat16 on a GPU, and elsewhere what the
// processor has units for.
at::ScalarType ResolveDtype(ComputeDtype dtype, c10::Device device = c10::kCPU);

// The type of a weight of that name as a forward pass of training reads it: matrices of products in
// the compute type are rounded to it once a step, not once a microbatch.
at::ScalarType LeafDtype(const std::string& name, const at::Tensor& weight,
                         at::ScalarType compute_dtype);

}  // namespace aim
