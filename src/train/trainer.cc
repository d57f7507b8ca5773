#include "aim/train/trainer.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/parallel.h"
#include "aim/diffusion/flow_matching.h"
#include "aim/tensor/safetensors.h"

namespace aim {
namespace {

const Mode& DrawMode(const ModeMix& mix, double u) {
  const std::vector<std::pair<const char*, double>> shares = {
      {"i2a", mix.i2a}, {"i2va", mix.i2va}, {"v2a", mix.v2a}, {"a2v", mix.a2v}, {"i2v", mix.i2v}};
  double total = 0;
  for (const auto& [name, share] : shares) total += share;
  double rest = u * total;
  for (const auto& [name, share] : shares) {
    if (rest < share) return FindMode(name);
    rest -= share;
  }
  return FindMode(shares.front().first);
}

// The index at `position` of epoch `epoch`'s permutation.
std::vector<int64_t> Permutation(uint64_t seed, int64_t epoch, int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  Rng rng = Rng(seed).Derive(static_cast<uint64_t>(epoch), "epoch");
  for (int64_t i = count - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(rng.UniformInt(i + 1))]);
  return order;
}

at::Tensor SeededNoise(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed),
                   at::TensorOptions().dtype(at::kFloat));
}

// [F]: weight of each latent frame in the loss before given ones are struck out.
at::Tensor SegmentWeights(const CanvasPlan& plan, double video_weight) {
  at::Tensor weights = at::ones({plan.num_frames()}, at::kFloat);
  for (const CanvasSegment& segment : plan.segments) {
    if (segment.kind == ContentKind::kVideo)
      weights.narrow(0, segment.begin, segment.length).fill_(video_weight);
  }
  return weights;
}

// Matrices of products in the compute type are rounded to it once a step, not once a microbatch.
bool IsComputeMatrix(const std::string& name, const at::Tensor& weight) {
  const bool is_float32_part = name.rfind("time_", 0) == 0 || name.rfind("segment_", 0) == 0 ||
                               name.find("modulation") != std::string::npos;
  return weight.dim() >= 2 && !is_float32_part;
}

CanvasPlan PlanOf(const Dit& dit, const SampleDraw& draw, const EncodedBatch& batch) {
  const CanvasShape shape{static_cast<int>(batch.latents.size(1)), batch.latents.size(4),
                          batch.latents.size(5), batch.latents.size(6)};
  return PlanCanvas(*draw.mode, shape, dit.options, draw.first_pose_given);
}

}  // namespace

at::ScalarType ResolveDtype(const std::string& dtype) {
  if (dtype == "f32") return at::kFloat;
  if (dtype == "bf16") return at::kBFloat16;
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") ? at::kBFloat16 : at::kFloat;
#else
  return at::kFloat;
#endif
}

std::vector<SampleDraw> DrawBatch(const TrainOptions& options, uint64_t seed, int64_t train_step,
                                  int64_t num_clips) {
  std::vector<SampleDraw> draws;
  std::vector<int64_t> order;
  int64_t order_epoch = -1;
  for (int j = 0; j < options.batch_size; ++j) {
    const int64_t number = train_step * options.batch_size + j;
    if (number / num_clips != order_epoch) {
      order_epoch = number / num_clips;
      order = Permutation(seed, order_epoch, num_clips);
    }
    Rng rng = Rng(seed).Derive(static_cast<uint64_t>(number), "sample");
    SampleDraw draw;
    draw.clip = order[static_cast<size_t>(number % num_clips)];
    draw.mode = &DrawMode(options.mix, rng.Uniform());
    draw.sigma = std::max(1e-3, ShiftSigma(1.0 - rng.Uniform(), options.shift));
    draw.drop_text = rng.Uniform() < options.text_dropout;
    draw.first_pose_given = draw.mode->name != "v2a" || rng.Uniform() >= options.first_pose_dropout;
    draw.noise_seed = rng.Next();
    draws.push_back(draw);
  }
  return draws;
}

std::vector<std::vector<SampleDraw>> SplitIntoMicrobatches(const std::vector<SampleDraw>& draws,
                                                           int microbatch) {
  std::map<std::tuple<bool, bool, bool>, std::vector<SampleDraw>> groups;
  for (const SampleDraw& draw : draws) {
    groups[{draw.mode->action.present, draw.mode->video.present, draw.mode->video.first_only}]
        .push_back(draw);
  }
  std::vector<std::vector<SampleDraw>> parts;
  for (const auto& [key, group] : groups) {
    const int64_t size = static_cast<int64_t>(group.size());
    const int64_t num_parts = (size + microbatch - 1) / microbatch;
    for (int64_t i = 0; i < num_parts; ++i) {
      parts.emplace_back(group.begin() + i * size / num_parts,
                         group.begin() + (i + 1) * size / num_parts);
    }
  }
  std::stable_sort(parts.begin(), parts.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return parts;
}

at::Tensor SampleLosses(const Dit& dit, const TrainOptions& options,
                        const std::vector<SampleDraw>& draws, const EncodedBatch& batch,
                        const at::Tensor& null_text) {
  std::vector<at::Tensor> given_rows, noises, texts;
  std::vector<float> sigmas;
  for (size_t i = 0; i < draws.size(); ++i) {
    given_rows.push_back(GivenMask(PlanOf(dit, draws[i], batch)));
    texts.push_back(draws[i].drop_text ? null_text : batch.text[static_cast<int64_t>(i)]);
    sigmas.push_back(static_cast<float>(draws[i].sigma));
  }
  const CanvasPlan plan = PlanOf(dit, draws.front(), batch);
  const at::Tensor clean = GatherCanvas(plan, batch.latents);
  for (const SampleDraw& draw : draws)
    noises.push_back(SeededNoise(clean.sizes().slice(1), draw.noise_seed));
  const at::Tensor noise = at::stack(noises);
  const at::Tensor given = at::stack(given_rows);              // [B, F]
  const at::Tensor sigma = at::tensor(sigmas);                 // [B]
  const at::Tensor level = sigma.view({-1, 1}) * (1 - given);  // [B, F], 0 where given
  const at::Tensor x =
      clean + level.view({level.size(0), 1, level.size(1), 1, 1}) * (noise - clean);

  const at::Tensor camera =
      batch.camera.defined() ? GatherCamera(plan, batch.camera) : at::Tensor();
  const DitContext context = PrepareContext(dit, plan.layout, at::stack(texts), camera);
  const at::Tensor output = ForwardDit(dit, x, CanvasTimesteps(dit.options, sigma, given), context);

  const bool is_clean = dit.options.prediction == Prediction::kClean;
  const at::Tensor target = is_clean ? clean : noise - clean;
  const at::Tensor frame_error =
      (output - target).square().mean(c10::IntArrayRef{1, 3, 4});  // [B, F]
  const at::Tensor open = 1 - given;
  const at::Tensor weight = SegmentWeights(plan, options.video_weight).unsqueeze(0) * open;
  at::Tensor loss = (frame_error * weight).sum(1) / open.sum(1).clamp_min(1);
  if (is_clean) loss = loss / sigma.clamp_min(options.sigma_floor).square();
  return loss.sum();
}

Trainer::Trainer(const DitOptions& dit, const TrainOptions& options, uint64_t seed,
                 WeightMap weights, at::Tensor null_text)
    : dit_(dit),
      options_(options),
      seed_(seed),
      compute_dtype_(ResolveDtype(options.dtype)),
      weights_(std::move(weights)),
      null_text_(std::move(null_text)),
      optimizer_(options, weights_, compute_dtype_) {
  for (const auto& [name, weight] : weights_) average_[name] = weight.clone();
}

StepReport Trainer::Step(const LatentCache& cache) {
  const auto parts = SplitIntoMicrobatches(DrawBatch(options_, seed_, train_step_, cache.size()),
                                           options_.microbatch);
  std::vector<std::vector<at::Tensor>> grads(parts.size());
  std::vector<double> losses(parts.size());
  const int workers = options_.num_workers > 0 ? options_.num_workers : NumProcessors();
  WeightMap named;
  std::vector<at::Tensor> leaves;
  for (const auto& [name, weight] : weights_) {
    const at::ScalarType dtype = IsComputeMatrix(name, weight) ? compute_dtype_ : at::kFloat;
    leaves.push_back(weight.detach().to(dtype).requires_grad_(true));
    named[name] = leaves.back();
  }
  const Dit dit(dit_, named, compute_dtype_);
  ParallelFor(static_cast<int64_t>(parts.size()), workers, [&](int64_t i) {
    at::set_num_threads(1);
    const auto& part = parts[static_cast<size_t>(i)];
    std::vector<int64_t> indices;
    for (const SampleDraw& draw : part) indices.push_back(draw.clip);
    const at::Tensor loss = SampleLosses(dit, options_, part, cache.Get(indices), null_text_) /
                            static_cast<double>(options_.batch_size);
    losses[static_cast<size_t>(i)] = loss.item<double>();
    grads[static_cast<size_t>(i)] = torch::autograd::grad({loss}, leaves, {}, false, false, true);
  });

  const c10::NoGradGuard guard;
  std::vector<at::Tensor> sums(leaves.size());
  std::vector<std::string> names;
  for (const auto& [name, weight] : weights_) names.push_back(name);
  ParallelFor(static_cast<int64_t>(names.size()), workers, [&](int64_t i) {
    const c10::NoGradGuard no_grad;
    const size_t leaf = static_cast<size_t>(i);
    sums[leaf] = at::zeros_like(weights_.at(names[leaf]));
    for (const auto& part : grads) {
      if (part[leaf].defined()) sums[leaf].add_(part[leaf]);
    }
  });
  StepReport report;
  report.loss = std::accumulate(losses.begin(), losses.end(), 0.0);
  report.lr = LearningRate(options_, train_step_);
  report.grad_norm = optimizer_.Step(weights_, sums, report.lr, workers);
  // A short average at the start: the first weights should not linger.
  const double keep = std::min(options_.ema, (1.0 + static_cast<double>(train_step_)) /
                                                 (10.0 + static_cast<double>(train_step_)));
  ParallelFor(static_cast<int64_t>(names.size()), workers, [&](int64_t i) {
    const c10::NoGradGuard no_grad;
    const std::string& name = names[static_cast<size_t>(i)];
    average_.at(name).lerp_(weights_.at(name), 1.0 - keep);
  });
  ++train_step_;
  return report;
}

void Trainer::Save(const std::filesystem::path& dir) const {
  WriteFolderAtomic(dir, [&](const std::filesystem::path& folder) {
    WriteSafetensors(folder / "weights.safetensors", weights_);
    WriteSafetensors(folder / "average.safetensors", average_);
    WriteSafetensors(folder / "optimizer.safetensors", optimizer_.State());
    WriteFileAtomic(folder / "state.json",
                    nlohmann::json{{"train_step", train_step_}, {"seed", seed_}}.dump(2) + "\n");
  });
}

void Trainer::Load(const std::filesystem::path& dir) {
  const ShapeMap shapes = DitWeightShapes(dit_);
  const auto load = [&](const char* file, WeightMap& target) {
    const WeightMap tensors = ReadSafetensors(dir / file);
    CheckWeights(tensors, shapes, (dir / file).string());
    for (auto& [name, tensor] : target) tensor.copy_(tensors.at(name));
  };
  load("weights.safetensors", weights_);
  load("average.safetensors", average_);
  optimizer_.LoadState(ReadSafetensors(dir / "optimizer.safetensors"),
                       (dir / "optimizer.safetensors").string());
  const nlohmann::json state = nlohmann::json::parse(ReadFile(dir / "state.json"), nullptr, false);
  if (!state.is_object() || !state.contains("train_step")) {
    throw FormatError({(dir / "state.json").string(), "damaged", "a JSON object with train_step",
                       "resume from an earlier checkpoint"});
  }
  train_step_ = state.at("train_step").get<int64_t>();
}

}  // namespace aim
