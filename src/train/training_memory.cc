#include "aim/train/training_memory.h"

#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>
#include <c10/util/accumulate.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "aim/base/memory.h"
#include "aim/base/parallel.h"
#include "aim/base/text.h"
#include "aim/diffusion/canvas.h"
#include "aim/diffusion/guidance_memory.h"
#include "aim/model/lora.h"
#include "aim/train/optimizer.h"
#include "aim/train/shares.h"
#include "aim/train/trainer.h"
#include "train/ordered_sum.h"

namespace aim {
namespace {

// What one rank keeps from step to step.
struct Kept {
  int64_t numbers = 0;  // of the weights whose averages and moments it has
  int64_t moments = 0;  // bytes
};

int64_t SizeOf(at::ScalarType dtype) { return static_cast<int64_t>(c10::elementSize(dtype)); }

// Of one device: the ranks of a host share its memory, and have a GPU each.
int64_t NeedOf(const TrainingMemory& memory, const TrainingRanks& ranks,
               const TrainingDevice& device) {
  return memory.total() * (device.is_queued ? 1 : ranks.local_size);
}

// "train.num_workers = 1 takes 512 GiB, ...": what to ask for instead.
std::string Alternatives(const DitOptions& dit, const TrainOptions& options,
                         const SampleSize& sample, const TrainingRanks& ranks,
                         const TrainingDevice& device) {
  std::vector<std::string> texts;
  const auto add = [&](const std::string& what, const auto& change) {
    TrainOptions other = options;
    change(other);
    const int64_t bytes = NeedOf(EstimateMemory(dit, other, sample, ranks, device), ranks, device);
    if (bytes < NeedOf(EstimateMemory(dit, options, sample, ranks, device), ranks, device))
      texts.push_back(what + " takes " + MemoryText(bytes));
  };
  add("train.num_workers = 1", [](TrainOptions& other) { other.num_workers = 1; });
  if (ranks.size > 1 && !device.is_queued)
    add("train.zero = 2", [](TrainOptions& other) { other.zero = 2; });
  add("train.gradient_checkpointing = true",
      [](TrainOptions& other) { other.gradient_checkpointing = true; });
  add("train.microbatch = 1", [](TrainOptions& other) { other.microbatch = 1; });
  if (!device.is_queued) {
    add("train.moments = \"bf16\"",
        [](TrainOptions& other) { other.moments = MomentDtype::kBf16; });
  }
  add("train.async_save = false", [](TrainOptions& other) { other.async_save = false; });
  if (options.lora.rank == 0 && options.trained.empty()) {
    add("train.trained = [\"self_attn\"]",
        [](TrainOptions& other) { other.trained = {"self_attn"}; });
    add("train.lora.rank = 16", [](TrainOptions& other) { other.lora.rank = 16; });
  }
  return Join(texts) + "; several of them take less";
}

// Of one sample in one pass, within a tenth (tests/train/training_memory_test.cc measures it). What
// the backward pass of a block needs is, of each token, three rows of the residual stream in
// float32 and, in the type of the products, sixteen more (normed inputs, queries, keys and values
// before and after their norms, what attention and matrices give, the camera) and the hidden layer
// twice. Of a block that is computed again its input alone is kept.
int64_t ActivationBytes(const DitOptions& dit, const TrainOptions& options,
                        const SampleSize& sample, at::ScalarType compute) {
  const int64_t width = SizeOf(compute);
  const int64_t dim = dit.dim, layers = dit.num_layers;
  const int64_t row = dim * SizeOf(at::kFloat);
  const int64_t num_rows = dit.camera.projector ? 17 : 16;
  const int64_t of_block = 3 * row + (num_rows * dim + 2 * dit.ffn_dim) * width;
  const int64_t of_token =
      options.gradient_checkpointing ? layers * row + of_block : layers * of_block;
  const int64_t of_text = layers * 4 * dim * width;  // keys and values, before and after the norm
  return of_token * sample.tokens + of_text * sample.text_rows;
}

std::string PartsText(const TrainingMemory& memory, const TrainingRanks& ranks) {
  const std::string each =
      ranks.local_size > 1 ? std::to_string(ranks.local_size) + " ranks here, each with " : "";
  return "training (" + each + "weights " + MemoryText(memory.weights) + ", averages " +
         MemoryText(memory.averages) + ", moments " + MemoryText(memory.moments) + ", gradients " +
         MemoryText(memory.gradients) + ", copy to save " + MemoryText(memory.saving) +
         ", activations " + MemoryText(memory.activations) + ")";
}

}  // namespace

SampleSize LargestSample(const LatentCache& cache, const DitOptions& dit,
                         const std::vector<std::string>& modes) {
  const EncodedBatch first = cache.Get({0});
  const CanvasShape shape = ShapeOfCanvas(first.latents);
  SampleSize largest{.text_rows = first.text.size(1)};
  for (const std::string& mode : modes) {
    const CanvasPlan plan = PlanCanvas(FindMode(mode), shape, dit);
    const int64_t of_frame = shape.height / dit.patch * (shape.width / dit.patch);
    largest.tokens = std::max(largest.tokens, plan.num_frames() * of_frame);
  }
  return largest;
}

TrainingMemory EstimateMemory(const DitOptions& dit, const TrainOptions& options,
                              const SampleSize& sample, const TrainingRanks& ranks,
                              const TrainingDevice& device) {
  constexpr int64_t kFloat = 4;
  const ShapeMap network = DitWeightShapes(dit);
  ShapeMap trained;
  for (const std::string& name : TrainedNames(network, options)) trained[name] = network.at(name);
  if (options.lora.rank > 0) trained.merge(LoraShapes(dit, options.lora));

  const at::ScalarType compute = ResolveDtype(options.dtype, device.device);
  const int64_t workers = device.is_queued ? 1 : NumTrainingWorkers(options, ranks.local_size);
  const bool is_divided = options.zero > 0 && ranks.size > 1;
  const std::vector<int> owners = OwnersOf(trained, is_divided ? ranks.size : 1);
  std::vector<Kept> kept(static_cast<size_t>(ranks.size));
  TrainingMemory memory;
  const auto count_weight = [&](const std::string& name, const std::vector<int64_t>& shape) {
    const int64_t count = c10::multiply_integers(shape);
    const int64_t in_products =
        count *
        SizeOf(shape.size() < 2 ? at::kFloat : DitWeightDtype(name, compute, Numerics::kAccurate));
    memory.num_weights += count;
    const bool is_alone = device.is_queued && !trained.contains(name);  // float32 elsewhere
    const bool is_rounded = in_products < count * kFloat;
    memory.weights += is_alone ? in_products : count * kFloat + (is_rounded ? in_products : 0);
    return in_products;
  };
  for (const auto& [name, shape] : network) {
    if (!trained.contains(name)) count_weight(name, shape);
  }
  int64_t leaf_bytes = 0;  // of a set of gradients in the type of the products
  auto owner = owners.begin();
  for (const auto& [name, shape] : trained) {
    const int64_t count = c10::multiply_integers(shape);
    leaf_bytes += count_weight(name, shape);
    memory.num_trained += count;
    Kept& of_owner = kept[static_cast<size_t>(*owner++)];
    of_owner.numbers += count;
    of_owner.moments +=
        count * SizeOf(DtypeOf(options.moments)) * (IsMuon(options, name, shape.size()) ? 1 : 2);
  }
  const int64_t num_averages = (options.ema > 0 ? 1 : 0) + std::ssize(options.more_ema);
  const Kept most = *std::ranges::max_element(kept, {}, [&](const Kept& of_rank) {
    return of_rank.numbers * kFloat * num_averages + of_rank.moments;
  });
  memory.averages = most.numbers * kFloat * num_averages;
  memory.moments = most.moments;
  if (is_divided) {
    memory.shipped = memory.num_trained * kFloat;
  } else if (options.async_save) {
    (device.is_queued ? memory.pinned : memory.saving) =
        memory.num_trained * kFloat + memory.averages + memory.moments;
  }
  const int64_t num_summed = is_divided && options.zero == 2 ? most.numbers : memory.num_trained;
  const at::ScalarType of_sums =
      device.is_queued ? at::kFloat : SumDtype(memory.num_trained, at::kFloat);
  memory.gradients = num_summed * SizeOf(of_sums) + (is_divided ? most.numbers * kFloat : 0) +
                     workers * leaf_bytes;
  if (!is_divided && ranks.size > 1)  // the buffers that are sent
    memory.gradients += memory.num_trained * SizeOf(of_sums);
  memory.activations = ActivationBytes(dit, options, sample, compute) *
                       std::min<int64_t>(options.batch_size, workers * options.microbatch);
  return memory;
}

nlohmann::json ToJson(const TrainingMemory& memory) {
  return {{"num_weights", memory.num_weights}, {"num_trained", memory.num_trained},
          {"weights_bytes", memory.weights},   {"averages_bytes", memory.averages},
          {"moments_bytes", memory.moments},   {"gradients_bytes", memory.gradients},
          {"saving_bytes", memory.saving},     {"activations_bytes", memory.activations},
          {"shipped_bytes", memory.shipped},   {"pinned_bytes", memory.pinned},
          {"total_bytes", memory.total()}};
}

void CheckTrainingMemory(const DitOptions& dit, const TrainOptions& options,
                         const SampleSize& sample, int64_t held, const TrainingRanks& ranks,
                         const TrainingDevice& device) {
  const TrainingMemory memory = EstimateMemory(dit, options, sample, ranks, device);
  const std::string where =
      PartsText(memory, ranks) + (device.device.is_cpu() ? "" : " on " + device.device.str());
  CheckMemory(NeedOf(memory, ranks, device) - held, where,
              Alternatives(dit, options, sample, ranks, device), FreeMemoryBytes(device.device));
  if (memory.pinned == 0) return;
  CheckMemory(memory.pinned * ranks.local_size,
              "the copy in host memory that checkpoints are made of",
              "train.async_save = false takes none");
}

void ExplainOutOfMemory(const DitOptions& dit, const TrainOptions& options,
                        const SampleSize& sample, const TrainingDevice& device,
                        const std::function<void()>& work) {
  try {
    work();
  } catch (const c10::OutOfMemoryError&) {
    throw ConfigError({.where = PartsText(EstimateMemory(dit, options, sample, {}, device), {}),
                       .got = "beyond the memory of " + device.device.str(),
                       .expected = "no more than what is free there",
                       .fix = Alternatives(dit, options, sample, {}, device) +
                              "; --resume goes on from the last checkpoint"});
  }
}

}  // namespace aim
