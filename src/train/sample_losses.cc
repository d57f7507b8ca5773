#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "aim/model/recomputed_blocks.h"
#include "aim/tensor/device.h"
#include "aim/train/trainer.h"

namespace aim {
namespace {

at::Tensor SeededNoise(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed),
                   at::TensorOptions().dtype(at::kFloat));
}

// A CPU draws each sample's from its own seed; another device that of a microbatch at once, from
// the seed of its first sample.
at::Tensor DrawNoise(const std::vector<SampleDraw>& draws, at::IntArrayRef shape,
                     c10::Device device, bool draws_on_cpu) {
  if (!device.is_cpu() && !draws_on_cpu) {
    at::Generator generator = at::globalContext()
                                  .getAcceleratorHooksInterface(device.type())
                                  .getNewGenerator(device.index());
    generator.set_current_seed(draws.front().noise_seed);
    return at::randn(shape, generator, at::TensorOptions().device(device).dtype(at::kFloat));
  }
  std::vector<at::Tensor> noises;
  for (const SampleDraw& draw : draws)
    noises.push_back(SeededNoise(shape.slice(1), draw.noise_seed));
  return at::stack(noises).to(device);
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

// What was drawn for each sample, [B, F] and [B] float32.
struct DrawnNumbers {
  at::Tensor given;  // 1 where given
  at::Tensor sigma;
  at::Tensor timestep;    // in [0, 1]
  at::Tensor weight;      // of the noise level
  at::Tensor drops_text;  // 1 where the prompt is empty
};

// Columns of one tensor, so that one copy brings them to a device.
constexpr int64_t kNumColumns = 4;

DrawnNumbers ColumnsOf(const at::Tensor& table) {
  const int64_t frames = table.size(1) - kNumColumns;
  const auto column = [&](int64_t i) { return table.select(1, frames + i); };
  return {table.narrow(1, 0, frames), column(0), column(1), column(2), column(3)};
}

at::Tensor TableOf(const Dit& dit, const std::vector<SampleDraw>& draws, const EncodedBatch& batch,
                   int64_t num_frames) {
  const auto count = static_cast<int64_t>(draws.size());
  const at::Tensor table = at::empty({count, num_frames + kNumColumns}, at::kFloat);
  auto* row = table.data_ptr<float>();
  for (const SampleDraw& draw : draws) {
    for (const bool given : PlanOf(dit, draw, batch).given) *row++ = given ? 1.0f : 0.0f;
    *row++ = static_cast<float>(draw.noise.sigma);
    *row++ = static_cast<float>(draw.noise.timestep / 1000);
    *row++ = static_cast<float>(draw.noise.weight);
    *row++ = draw.drop_text ? 1.0f : 0.0f;
  }
  return table;
}

}  // namespace

// Nothing here waits for a device.
at::Tensor SampleLosses(const Dit& dit, const TrainOptions& options,
                        const std::vector<SampleDraw>& draws, const EncodedBatch& batch,
                        const at::Tensor& null_text, bool draws_on_cpu) {
  const c10::Device device = batch.latents.device();
  const auto move = [&](const at::Tensor& made) { return CopyQueued(made, device); };
  const CanvasPlan plan = PlanOf(dit, draws.front(), batch);
  const at::Tensor table = TableOf(dit, draws, batch, plan.num_frames());
  const DrawnNumbers drawn = ColumnsOf(move(table));
  const DrawnNumbers host = ColumnsOf(table);
  const at::Tensor clean = GatherCanvas(plan, batch.latents).to(at::kFloat);
  const at::Tensor noise = DrawNoise(draws, clean.sizes(), device, draws_on_cpu);
  const at::Tensor open = 1 - drawn.given;                   // [B, F]
  const at::Tensor level = drawn.sigma.unsqueeze(1) * open;  // [B, F], 0 where given
  const at::Tensor x =
      clean + level.view({level.size(0), 1, level.size(1), 1, 1}) * (noise - clean);

  const DitInputs inputs = {
      .latents = x,
      .timestep = CanvasTimesteps(dit.options, host.timestep, host.given),
      .text = at::where(drawn.drops_text.view({-1, 1, 1}) > 0, null_text, batch.text),
      .camera = batch.camera.defined() ? GatherCamera(plan, batch.camera) : at::Tensor()};
  const at::Tensor output = Predict(dit, plan.layout, inputs, options.gradient_checkpointing);

  const bool is_clean = dit.options.prediction == Prediction::kClean;
  const at::Tensor target = is_clean ? clean : noise - clean;
  const at::Tensor frame_error =
      (output - target).square().mean(c10::IntArrayRef{1, 3, 4});  // [B, F]
  const at::Tensor weight = move(SegmentWeights(plan, options.video_weight)).unsqueeze(0) * open;
  at::Tensor loss = (frame_error * weight).sum(1) / open.sum(1).clamp_min(1);
  if (is_clean) loss = loss / drawn.sigma.clamp_min(options.sigma_floor).square();
  return loss * drawn.weight;
}

}  // namespace aim
