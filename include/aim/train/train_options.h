// Every knob of training. configs/train/*.toml holds the recipes.
#pragma once

#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/data/augment.h"
#include "aim/data/episode_edit.h"
#include "aim/model/dit_options.h"
#include "aim/model/lora.h"
#include "aim/model/pca_autoencoder.h"
#include "aim/recipe/numerics.h"
#include "aim/text/hashed_words.h"
#include "aim/train/mode_mix.h"

namespace aim {

enum class OptimizerKind { kAdamw, kMuon };
constexpr auto WordsOf(OptimizerKind) {
  return WordTable<OptimizerKind, 2>{
      {{OptimizerKind::kAdamw, "adamw"}, {OptimizerKind::kMuon, "muon"}}};
}

// Of the optimizer's moments. bf16 is rounded stochastically (moment_loops.h).
enum class MomentDtype { kF32, kBf16 };
constexpr auto WordsOf(MomentDtype) {
  return WordTable<MomentDtype, 2>{{{MomentDtype::kF32, "f32"}, {MomentDtype::kBf16, "bf16"}}};
}

// Which weights a run's bundle is made of.
enum class Shipped { kLast, kBest };
constexpr auto WordsOf(Shipped) {
  return WordTable<Shipped, 2>{{{Shipped::kLast, "last"}, {Shipped::kBest, "best"}}};
}

enum class TimestepDraw { kShifted, kLogitNormal, kReleased };
constexpr auto WordsOf(TimestepDraw) {
  using enum TimestepDraw;
  return WordTable<TimestepDraw, 3>{
      {{kShifted, "shifted"}, {kLogitNormal, "logit_normal"}, {kReleased, "released"}}};
}

enum class LossWeight { kNone, kBell };
constexpr auto WordsOf(LossWeight) {
  return WordTable<LossWeight, 2>{{{LossWeight::kNone, "none"}, {LossWeight::kBell, "bell"}}};
}

enum class DecayShape { kLinear, kCosine };
constexpr auto WordsOf(DecayShape) {
  return WordTable<DecayShape, 2>{
      {{DecayShape::kLinear, "linear"}, {DecayShape::kCosine, "cosine"}}};
}

struct TrainOptions {
  int64_t steps = 20000;
  int batch_size = 16;
  int microbatch = 6;
  int num_workers = 0;
  int zero = 0;
  int rank_timeout_s = 60;
  ComputeDtype dtype = ComputeDtype::kAuto;
  bool gradient_checkpointing = false;

  std::vector<std::string> trained;
  LoraOptions lora;
  std::string lora_name = "trained";

  OptimizerKind optimizer = OptimizerKind::kAdamw;
  MomentDtype moments = MomentDtype::kF32;
  double lr = 8e-4;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0.01;
  double clip_norm = 1.0;
  int64_t warmup_steps = 150;
  int64_t decay_steps = 2000;
  DecayShape decay_shape = DecayShape::kLinear;
  double ema = 0.998;
  std::vector<double> more_ema;
  int max_lost_steps = 10;

  TimestepDraw timesteps = TimestepDraw::kShifted;
  double shift = 30.0;
  double logit_mean = 0;
  double logit_deviation = 1;
  LossWeight loss_weight = LossWeight::kNone;
  double sigma_floor = 0.3;
  double video_weight = 0.3;
  double text_dropout = 0.05;
  double first_pose_dropout = 0.3;
  ModeMix mix;
  std::vector<std::string> mixes;

  int64_t checkpoint_every = 500;
  int keep_checkpoints = 2;
  bool async_save = true;
  Shipped ship = Shipped::kLast;
  int64_t validate_every = 1000;
  int validation_episodes = -1;
  int64_t log_every = 20;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("steps", self.steps, Range{1, 1e9},
          "optimizer steps in all, earlier ones of a resumed run included");
    visit("batch_size", self.batch_size, Range{1, 65536}, "samples a step, over all workers");
    visit("microbatch", self.microbatch, Range{1, 4096},
          "samples in one forward pass, whose gradients are accumulated; memory is linear in it");
    visit("num_workers", self.num_workers, Range{0, 256},
          "threads that each work on microbatches; 0 = one a core");
    visit("zero", self.zero, Range{0, 2},
          "what the ranks divide among themselves: 0 = nothing, 1 = moments and averages, "
          "2 = sums of gradients as well");
    visit("rank_timeout_s", self.rank_timeout_s, Range{5, 86400},
          "a rank of which nothing was heard for so long ends the run");
    visit("dtype", self.dtype, Any{},
          "of matrix products; auto = bf16 where the processor has units for it");
    visit(
        "gradient_checkpointing", self.gradient_checkpointing, Any{},
        "activations of a block are not kept but computed again in the backward pass: less memory, "
        "more time, the same gradients");
    visit("trained", self.trained, Any{},
          "weights that are trained, the others staying as they are: whole words of their names, "
          "such as cam_encoder, self_attn, blocks.3; none = all, or with lora the adapter alone");
    visit("lora", self.lora, Any{}, "");
    visit("lora_name", self.lora_name, Any{}, "what the adapter is called in the bundle");
    visit("optimizer", self.optimizer, Any{},
          "muon orthogonalises the updates of the blocks' matrices, AdamW does the rest");
    visit(
        "moments", self.moments, Any{},
        "type of the optimizer's moments; bf16 takes half the memory and is rounded at random, so "
        "that small changes are not lost");
    visit("lr", self.lr, Range{0, 1}, "peak learning rate");
    visit("beta1", self.beta1, Range{0, 0.9999}, "momentum");
    visit("beta2", self.beta2, Range{0, 0.99999}, "decay of the squared gradients");
    visit("weight_decay", self.weight_decay, Range{0, 1}, "decoupled, on matrices only");
    visit("clip_norm", self.clip_norm, Range{0, 1e9}, "largest gradient norm; 0 = no clipping");
    visit("warmup_steps", self.warmup_steps, Range{0, 1e9},
          "linear rise of the rate at the start; where warm-up and decay together are longer than "
          "the run, both are shortened in proportion to fill it");
    visit("decay_steps", self.decay_steps, Range{0, 1e9},
          "fall of the rate to 0 at the end; see warmup_steps");
    visit("decay_shape", self.decay_shape, Any{}, "of that fall");
    visit("ema", self.ema, Range{0, 0.99999}, "averaging of the weights that are shipped; 0 = off");
    visit("more_ema", self.more_ema, Range{0.0001, 0.99999},
          "further averages, each saved and written as a bundle-ema-X at the end: [0.99, 0.9999]");
    visit("max_lost_steps", self.max_lost_steps, Range{0, 1e6},
          "steps in a row whose gradient is not finite that are left out; one more ends the run");
    visit("timesteps", self.timesteps, Any{},
          "distribution of noise levels: uniform and shifted, the same of a logit-normal, or the "
          "1000 levels of the release, rounded as there");
    visit("shift", self.shift, Range{0.01, 1000}, "timestep shift; larger = more noise");
    visit("logit_mean", self.logit_mean, Range{-20, 20}, "of logit_normal");
    visit("logit_deviation", self.logit_deviation, Range{0, 20}, "of logit_normal");
    visit("loss_weight", self.loss_weight, Any{},
          "of a noise level: none, or the release's bell, highest at half noise, 0 at full");
    visit("sigma_floor", self.sigma_floor, Range{1e-3, 1},
          "losses of clean predictions are divided by max(sigma, floor)^2");
    visit("video_weight", self.video_weight, Range{0, 100},
          "weight of video latents; actions have 1");
    visit("text_dropout", self.text_dropout, Range{0, 1}, "share of samples with an empty prompt");
    visit("first_pose_dropout", self.first_pose_dropout, Range{0, 1},
          "share of samples whose first pose is not given, in modes that can do without (v2a)");
    visit("mix", self.mix, Any{}, "");
    visit("mixes", self.mixes, Any{},
          "data sets that have another mix than train.mix, as NAME:MODE=SHARE,MODE=SHARE; NAME is "
          "the folder of one in --data, or its path; videos without actions are drawn in the modes "
          "of their mix that need none");
    visit("checkpoint_every", self.checkpoint_every, Range{1, 1e9}, "steps between checkpoints");
    visit("keep_checkpoints", self.keep_checkpoints, Range{1, 1e6},
          "newest checkpoints kept, and the one of the best validation");
    visit("async_save", self.async_save, Any{},
          "checkpoints are written while training goes on, from a copy of the state in memory");
    visit("ship", self.ship, Any{},
          "weights of the bundle: the average at the last step, or at the best validation");
    visit("validate_every", self.validate_every, Range{1, 1e9}, "steps between validations");
    visit("validation_episodes", self.validation_episodes, Range{-1, 100000},
          "episodes held out of training; -1 = one in ten, at least 1 and at most 24");
    visit("log_every", self.log_every, Range{1, 1e9}, "steps between lines of metrics.jsonl");
  }
};

// Throws ConfigError where options.ship asks for the best validation and there is none.
void RequireBest(const TrainOptions& options, bool has_validation);

// What clips are cut from the episodes and how they are cached.
struct ClipOptions {
  int num_frames = 17;
  int per_episode = 4;
  int autoencoder_episodes = 400;
  int num_views = 0;
  EpisodeEdit edit;
  AugmentOptions augment;
  std::string dir;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("num_frames", self.num_frames, Range{1, 1025}, "frames of a clip, 1 + 4 n");
    visit("per_episode", self.per_episode, Range{1, 1000},
          "clips cut from an episode: its start and later starts");
    visit("autoencoder_episodes", self.autoencoder_episodes, Range{1, 1e6},
          "episodes the autoencoder is fitted on");
    visit(
        "num_views", self.num_views, Range{0, 64},
        "views of a clip, drawn at random from those of its episode, each at most once; 0 = all of "
        "them, in their order");
    EpisodeEdit::ForEachField(self.edit, visit);
    visit("augment", self.augment, Any{}, "");
    visit("dir", self.dir, Any{},
          "folder of the latent cache; empty = inside the run; without --data a finished one is "
          "trained from alone");
  }
};

struct TrainRunOptions {
  std::vector<std::string> data;
  std::string init;
  ClipOptions clips;
  DitOptions dit;
  PcaOptions autoencoder;
  HashedWordsOptions text;
  TrainOptions train;
  bool dry_run = false;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("data", self.data, Any{},
          "data set, as DIR or DIR@RATIO; may be repeated; none: clips.dir is enough");
    visit("init", self.init, Any{},
          "bundle that training starts from; its network is trained on, its autoencoder and text "
          "encoder stay as they are");
    visit("clips", self.clips, Any{}, "");
    visit("dit", self.dit, Any{}, "");
    visit("autoencoder", self.autoencoder, Any{}, "");
    visit("text", self.text, Any{}, "");
    visit("train", self.train, Any{}, "");
    visit("dry_run", self.dry_run, Any{},
          "say what would be trained, what memory and time it takes, after three steps; keep "
          "nothing");
  }
  void Validate() const;  // throws ConfigError
};

// Dotted keys that a resumed run may change: how long it is, where its cache lies, how it is worked
// on and how often it reports.
const std::vector<std::string>& FreeTrainKeys();

}  // namespace aim
