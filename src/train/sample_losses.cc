#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "aim/model/recomputed_blocks.h"
#include "aim/train/trainer.h"

namespace aim {
namespace {

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

CanvasPlan PlanOf(const Dit& dit, const SampleDraw& draw, const EncodedBatch& batch) {
  return PlanCanvas(*draw.mode, ShapeOfCanvas(batch.latents), dit.options, draw.first_pose_given);
}

at::Tensor Predict(const Dit& dit, const CanvasLayout& layout, const DitInputs& inputs,
                   bool recomputes) {
  if (recomputes) return ForwardRecomputed(dit, layout, inputs);
  const DitContext context = PrepareContext(dit, layout, inputs.text, inputs.camera);
  return ForwardDit(dit, inputs.latents, inputs.timestep, context);
}

}  // namespace

at::Tensor SampleLosses(const Dit& dit, const TrainOptions& options,
                        const std::vector<SampleDraw>& draws, const EncodedBatch& batch,
                        const at::Tensor& null_text) {
  std::vector<at::Tensor> given_rows, noises, texts;
  std::vector<float> sigmas, timesteps, level_weights;
  for (size_t i = 0; i < draws.size(); ++i) {
    given_rows.push_back(GivenMask(PlanOf(dit, draws[i], batch)));
    texts.push_back(draws[i].drop_text ? null_text : batch.text[static_cast<int64_t>(i)]);
    sigmas.push_back(static_cast<float>(draws[i].noise.sigma));
    timesteps.push_back(static_cast<float>(draws[i].noise.timestep / 1000));
    level_weights.push_back(static_cast<float>(draws[i].noise.weight));
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

  const DitInputs inputs = {
      .latents = x,
      .timestep = CanvasTimesteps(dit.options, at::tensor(timesteps), given),
      .text = at::stack(texts),
      .camera = batch.camera.defined() ? GatherCamera(plan, batch.camera) : at::Tensor()};
  const at::Tensor output = Predict(dit, plan.layout, inputs, options.gradient_checkpointing);

  const bool is_clean = dit.options.prediction == Prediction::kClean;
  const at::Tensor target = is_clean ? clean : noise - clean;
  const at::Tensor frame_error =
      (output - target).square().mean(c10::IntArrayRef{1, 3, 4});  // [B, F]
  const at::Tensor open = 1 - given;
  const at::Tensor weight = SegmentWeights(plan, options.video_weight).unsqueeze(0) * open;
  at::Tensor loss = (frame_error * weight).sum(1) / open.sum(1).clamp_min(1);
  if (is_clean) loss = loss / sigma.clamp_min(options.sigma_floor).square();
  return loss * at::tensor(level_weights);
}

}  // namespace aim
