// Masked latent training: one step, its state, and saving it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "aim/cache/latent_cache.h"
#include "aim/diffusion/canvas.h"
#include "aim/train/comm.h"
#include "aim/train/data_mixes.h"
#include "aim/train/loss_tally.h"
#include "aim/train/optimizer.h"
#include "aim/train/step_plan.h"

namespace aim {

// Of each sample the mean loss of what is not given, [B] float32, differentiable:
// (prediction - target)^2, video latents weighted, clean predictions divided by
// max(sigma, sigma_floor)^2, times the weight of its noise level. docs/reference/small-model.md
// section 3.
at::Tensor SampleLosses(const Dit& dit, const TrainOptions& options,
                        const std::vector<SampleDraw>& draws, const EncodedBatch& batch,
                        const at::Tensor& null_text);

struct StepReport {
  double loss = 0;       // mean over the batch
  double grad_norm = 0;  // before clipping
  double lr = 0;
  bool is_lost = false;  // the gradient was not finite: nothing was changed
  bool stops = false;    // a rank was asked to stop: all do after this step
  LossTally losses = {};
  std::vector<SampleDraw> not_finite = {};  // samples of this rank whose loss is not
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

class Trainer {
 public:
  // With options.lora a new adapter is trained, which begins without effect. Throws ConfigError for
  // options that name no weight.
  Trainer(TrainedNetwork network, const TrainOptions& options, uint64_t seed);

  // One optimizer step; all ranks take it together and have the same weights after it. The result
  // depends on (weights, seed, step, cache, number of ranks), not on the number of workers. A step
  // whose gradient is not finite is left out; throws InputError when that happened more than
  // options.max_lost_steps times in a row.
  StepReport Step(const LatentCache& cache, Comm& comm, bool asked_to_stop = false);

  // Weights, averages, moments and step become those of rank 0; all ranks call it.
  void TakeStateOfRank0(Comm& comm);

  int64_t train_step() const { return train_step_; }
  // What is trained: weights of the network by their names, and factors of its adapter.
  const WeightMap& weights() const { return weights_; }
  const WeightMap& averaged_weights() const { return options_.ema > 0 ? average_ : weights_; }

  // What is validated and shipped, averaged: the network with its adapter, its own weights, and the
  // adapter, without weights if there is none.
  Dit ShippedDit() const;
  WeightMap ShippedWeights() const;
  Lora ShippedAdapter() const;

  // A folder with weights, average, optimizer state and step; whole or absent.
  void Save(const std::filesystem::path& dir) const;
  // Throws InputError for files that do not fit, ConfigError if they are of another seed.
  void Load(const std::filesystem::path& dir);

 private:
  // Gradient of the mean loss over the whole batch, in the order of weights_, as far as the
  // microbatches of `plan` make it; the report gets that loss and those of its samples.
  std::vector<at::Tensor> Gradients(const StepPlan& plan, const LatentCache& cache, int num_workers,
                                    StepReport& report) const;
  void CountLost(const StepReport& report, const StepPlan& plan, const LatentCache& cache);
  void UpdateAverage(int num_workers);
  // The network of frozen weights and trained ones, the adapter's among them.
  Dit MakeDit(const WeightMap& frozen, const WeightMap& trained, at::ScalarType dtype) const;
  void LoadState(const std::filesystem::path& file);

  DitOptions dit_;
  TrainOptions options_;
  DataMixes mixes_;
  uint64_t seed_;
  at::ScalarType compute_dtype_;
  WeightMap weights_;
  WeightMap average_;
  WeightMap frozen_;          // as they were given
  WeightMap frozen_compute_;  // as a forward pass reads them
  at::Tensor null_text_;
  Optimizer optimizer_;
  int64_t train_step_ = 0;
  int num_lost_in_a_row_ = 0;
};

// float32 or bfloat16 as TrainOptions::dtype says; kAuto asks the processor.
at::ScalarType ResolveDtype(ComputeDtype dtype);

}  // namespace aim
