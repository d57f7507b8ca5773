// Masked latent training: one step, its state, and saving it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "aim/cache/latent_cache.h"
#include "aim/diffusion/canvas.h"
#include "aim/train/optimizer.h"

namespace aim {

// What chance decides about one sample. A pure function of (seed, step, position in the batch).
struct SampleDraw {
  int64_t clip = 0;
  const Mode* mode = nullptr;
  double sigma = 0;
  bool drop_text = false;
  bool first_pose_given = true;
  uint64_t noise_seed = 0;
};

// The batch of one step: clips by a fresh permutation each epoch, mode and noise level a sample.
std::vector<SampleDraw> DrawBatch(const TrainOptions& options, uint64_t seed, int64_t train_step,
                                  int64_t num_clips);

// Samples whose canvases have the same segments, at most `microbatch` together.
std::vector<std::vector<SampleDraw>> SplitIntoMicrobatches(const std::vector<SampleDraw>& draws,
                                                           int microbatch);

// Sum over the samples of the mean loss of what is not given (float32 scalar, differentiable):
// (prediction - target)^2, video latents weighted, clean predictions divided by
// max(sigma, sigma_floor)^2. tiny.md section 3.
at::Tensor SampleLosses(const Dit& dit, const TrainOptions& options,
                        const std::vector<SampleDraw>& draws, const EncodedBatch& batch,
                        const at::Tensor& null_text);

struct StepReport {
  double loss = 0;       // mean over the batch
  double grad_norm = 0;  // before clipping
  double lr = 0;
};

class Trainer {
 public:
  Trainer(const DitOptions& dit, const TrainOptions& options, uint64_t seed, WeightMap weights,
          at::Tensor null_text);

  // One optimizer step. The result depends on (weights, seed, step, cache), not on the number of
  // workers: microbatches are summed in their order.
  StepReport Step(const LatentCache& cache);

  int64_t train_step() const { return train_step_; }
  const WeightMap& weights() const { return weights_; }
  // Averaged weights: what is validated and shipped.
  const WeightMap& averaged_weights() const { return options_.ema > 0 ? average_ : weights_; }

  // A folder with weights, average, optimizer state and step; whole or absent.
  void Save(const std::filesystem::path& dir) const;
  void Load(const std::filesystem::path& dir);

 private:
  DitOptions dit_;
  TrainOptions options_;
  uint64_t seed_;
  at::ScalarType compute_dtype_;
  WeightMap weights_;
  WeightMap average_;
  at::Tensor null_text_;
  Optimizer optimizer_;
  int64_t train_step_ = 0;
};

// float32 or bfloat16 as TrainOptions::dtype says; "auto" asks the processor.
at::ScalarType ResolveDtype(const std::string& dtype);

}  // namespace aim
