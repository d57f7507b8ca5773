#include "aim/train/training_memory.h"

#include <c10/core/ScalarType.h>
#include <c10/util/accumulate.h>

#include <nlohmann/json.hpp>

#include "aim/base/memory.h"
#include "aim/base/parallel.h"
#include "aim/base/text.h"
#include "aim/model/lora.h"
#include "aim/train/optimizer.h"
#include "aim/train/trainer.h"
#include "train/ordered_sum.h"

namespace aim {
namespace {

int64_t SizeOf(at::ScalarType dtype) { return static_cast<int64_t>(c10::elementSize(dtype)); }

// "512 GiB as they are, ...": what to ask for instead.
std::string Alternatives(const DitOptions& dit, const TrainOptions& options) {
  std::vector<std::string> texts;
  const auto add = [&](const std::string& what, const TrainOptions& other) {
    texts.push_back(what + " takes " + MemoryText(EstimateMemory(dit, other).total()));
  };
  TrainOptions other = options;
  if (options.num_workers != 1) {
    other.num_workers = 1;
    add("train.num_workers = 1", other);
  }
  if (options.lora.rank == 0 && options.trained.empty()) {
    other.trained = {"self_attn"};
    add("train.trained = [\"self_attn\"] besides", other);
    other.trained = {};
    other.lora.rank = 16;
    add("train.lora.rank = 16 in its place", other);
  }
  return Join(texts);
}

}  // namespace

TrainingMemory EstimateMemory(const DitOptions& dit, const TrainOptions& options) {
  constexpr int64_t kFloat = 4;
  const ShapeMap network = DitWeightShapes(dit);
  ShapeMap trained;
  for (const std::string& name : TrainedNames(network, options)) trained[name] = network.at(name);
  if (options.lora.rank > 0) trained.merge(LoraShapes(dit, options.lora));

  const at::ScalarType compute = ResolveDtype(options.dtype);
  const int64_t workers = options.num_workers > 0 ? options.num_workers : NumProcessors();
  TrainingMemory memory;
  for (const auto& [name, shape] : network) {
    if (trained.contains(name)) continue;
    const int64_t count = c10::multiply_integers(shape);
    const at::ScalarType dtype = shape.size() < 2 ? at::kFloat : compute;
    memory.num_weights += count;
    memory.weights += count * (kFloat + (dtype == at::kFloat ? 0 : SizeOf(dtype)));
  }
  int64_t sum_bytes = 0, worker_bytes = 0;
  for (const auto& [name, shape] : trained) {
    const int64_t count = c10::multiply_integers(shape);
    const at::ScalarType dtype = shape.size() < 2 ? at::kFloat : compute;
    memory.num_trained += count;
    memory.weights += count * (kFloat + (dtype == at::kFloat ? 0 : SizeOf(dtype)));
    memory.moments += count * kFloat * (IsMuon(options, name, shape.size()) ? 1 : 2);
    worker_bytes += count * SizeOf(dtype);
    sum_bytes += count;
  }
  memory.num_weights += memory.num_trained;
  memory.averages = memory.num_trained * kFloat;
  sum_bytes *= SizeOf(SumDtype(sum_bytes, at::kFloat)) + kFloat;
  memory.gradients = sum_bytes + (workers + 1) * worker_bytes;
  return memory;
}

nlohmann::json ToJson(const TrainingMemory& memory) {
  return {{"num_weights", memory.num_weights}, {"num_trained", memory.num_trained},
          {"weights_bytes", memory.weights},   {"averages_bytes", memory.averages},
          {"moments_bytes", memory.moments},   {"gradients_bytes", memory.gradients},
          {"total_bytes", memory.total()}};
}

void CheckTrainingMemory(const DitOptions& dit, const TrainOptions& options, int64_t held) {
  const TrainingMemory memory = EstimateMemory(dit, options);
  CheckMemory(memory.total() - held,
              "training (weights " + MemoryText(memory.weights) + ", averages " +
                  MemoryText(memory.averages) + ", moments " + MemoryText(memory.moments) +
                  ", gradients " + MemoryText(memory.gradients) + ", activations besides)",
              Alternatives(dit, options));
}

}  // namespace aim
