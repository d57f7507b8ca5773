#include "aim/train/training_memory.h"

#include <c10/core/ScalarType.h>
#include <c10/util/accumulate.h>

#include <nlohmann/json.hpp>

#include "aim/base/memory.h"
#include "aim/base/parallel.h"
#include "aim/base/text.h"
#include "aim/model/lora.h"
#include "aim/train/optimizer.h"
#include "aim/train/shares.h"
#include "aim/train/trainer.h"
#include "train/ordered_sum.h"

namespace aim {
namespace {

// Bytes that one rank keeps from step to step.
struct Kept {
  int64_t averages = 0;
  int64_t moments = 0;
};

int64_t SizeOf(at::ScalarType dtype) { return static_cast<int64_t>(c10::elementSize(dtype)); }

// "512 GiB as they are, ...": what to ask for instead.
std::string Alternatives(const DitOptions& dit, const TrainOptions& options,
                         const TrainingRanks& ranks) {
  std::vector<std::string> texts;
  const auto add = [&](const std::string& what, const TrainOptions& other) {
    const int64_t bytes = EstimateMemory(dit, other, ranks).total() * ranks.local_size;
    texts.push_back(what + " takes " + MemoryText(bytes));
  };
  TrainOptions other = options;
  if (options.num_workers != 1) {
    other.num_workers = 1;
    add("train.num_workers = 1", other);
  }
  if (ranks.size > 1 && options.zero < 2) {
    other.zero = 2;
    add("train.zero = 2 besides", other);
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

TrainingMemory EstimateMemory(const DitOptions& dit, const TrainOptions& options,
                              const TrainingRanks& ranks) {
  constexpr int64_t kFloat = 4;
  const ShapeMap network = DitWeightShapes(dit);
  ShapeMap trained;
  for (const std::string& name : TrainedNames(network, options)) trained[name] = network.at(name);
  if (options.lora.rank > 0) trained.merge(LoraShapes(dit, options.lora));

  const at::ScalarType compute = ResolveDtype(options.dtype);
  const int64_t workers = NumTrainingWorkers(options, ranks.local_size);
  const bool is_divided = options.zero > 0 && ranks.size > 1;
  const std::vector<int> owners = OwnersOf(trained, is_divided ? ranks.size : 1);
  std::vector<Kept> kept(static_cast<size_t>(ranks.size));
  TrainingMemory memory;
  for (const auto& [name, shape] : network) {
    if (trained.contains(name)) continue;
    const int64_t count = c10::multiply_integers(shape);
    const at::ScalarType dtype = shape.size() < 2 ? at::kFloat : compute;
    memory.num_weights += count;
    memory.weights += count * (kFloat + (dtype == at::kFloat ? 0 : SizeOf(dtype)));
  }
  int64_t worker_bytes = 0;
  auto owner = owners.begin();
  for (const auto& [name, shape] : trained) {
    const int64_t count = c10::multiply_integers(shape);
    const at::ScalarType dtype = shape.size() < 2 ? at::kFloat : compute;
    memory.num_trained += count;
    memory.weights += count * (kFloat + (dtype == at::kFloat ? 0 : SizeOf(dtype)));
    Kept& of_owner = kept[static_cast<size_t>(*owner++)];
    of_owner.averages += count * kFloat;
    of_owner.moments += count * kFloat * (IsMuon(options, name, shape.size()) ? 1 : 2);
    worker_bytes += count * SizeOf(dtype);
  }
  const Kept most = *std::max_element(kept.begin(), kept.end(), [](const Kept& a, const Kept& b) {
    return a.averages + a.moments < b.averages + b.moments;
  });
  memory.num_weights += memory.num_trained;
  memory.averages = most.averages;
  memory.moments = most.moments;
  memory.shipped = memory.num_trained * kFloat;
  const int64_t sum_size = SizeOf(SumDtype(memory.num_trained, at::kFloat));
  const int64_t num_owned = most.averages / kFloat;
  const bool sums_all = !is_divided || options.zero == 1;
  memory.gradients = (sums_all ? memory.num_trained : num_owned) * sum_size + num_owned * kFloat +
                     (workers + (sums_all ? 1 : 0)) * worker_bytes;
  return memory;
}

nlohmann::json ToJson(const TrainingMemory& memory) {
  return {{"num_weights", memory.num_weights}, {"num_trained", memory.num_trained},
          {"weights_bytes", memory.weights},   {"averages_bytes", memory.averages},
          {"moments_bytes", memory.moments},   {"gradients_bytes", memory.gradients},
          {"shipped_bytes", memory.shipped},   {"total_bytes", memory.total()}};
}

void CheckTrainingMemory(const DitOptions& dit, const TrainOptions& options, int64_t held,
                         const TrainingRanks& ranks) {
  const TrainingMemory memory = EstimateMemory(dit, options, ranks);
  const std::string each =
      ranks.local_size > 1 ? std::to_string(ranks.local_size) + " ranks here, each with " : "";
  CheckMemory(memory.total() * ranks.local_size - held,
              "training (" + each + "weights " + MemoryText(memory.weights) + ", averages " +
                  MemoryText(memory.averages) + ", moments " + MemoryText(memory.moments) +
                  ", gradients " + MemoryText(memory.gradients) + ", activations besides)",
              Alternatives(dit, options, ranks));
}

}  // namespace aim
