#include "train/rank_start.h"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>

#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>

#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "aim/train/training_memory.h"

namespace aim {
namespace {

void SendText(const std::string& text, Comm& comm) {
  std::vector<at::Tensor> length = {at::tensor({static_cast<int64_t>(text.size())}, at::kLong)};
  comm.Broadcast(0, length);
  at::Tensor bytes = at::empty({static_cast<int64_t>(text.size())}, at::kByte);
  std::memcpy(bytes.data_ptr(), text.data(), text.size());
  std::vector<at::Tensor> one = {bytes};
  comm.Broadcast(0, one);
}

std::string ReceiveText(Comm& comm) {
  std::vector<at::Tensor> length = {at::zeros({1}, at::kLong)};
  comm.Broadcast(0, length);
  std::vector<at::Tensor> bytes = {at::zeros({length[0].item<int64_t>()}, at::kByte)};
  comm.Broadcast(0, bytes);
  return {static_cast<const char*>(bytes[0].data_ptr()), static_cast<size_t>(bytes[0].numel())};
}

void BroadcastNetwork(TrainedNetwork& network, Comm& comm) {
  std::vector<at::Tensor> tensors = {network.null_text};
  for (const auto& [name, weight] : network.weights) tensors.push_back(weight);
  comm.Broadcast(0, tensors);
}

RankOrder ReceiveOrder(Comm& comm) {
  std::vector<at::Tensor> order = {at::zeros({1}, at::kLong)};
  comm.Broadcast(0, order);
  return static_cast<RankOrder>(order[0].item<int64_t>());
}

// Whether another will come.
bool FollowOrder(RankOrder order, Trainer& trainer, const LatentCache& cache, Comm& comm,
                 const std::function<bool()>& should_stop) {
  switch (order) {
    case RankOrder::kStep:
      trainer.Step(cache, comm, should_stop());
      return true;
    case RankOrder::kSave:
      trainer.SaveDivided({}, comm);
      return true;
    case RankOrder::kGatherAverage:
      trainer.GatherAverage(comm);
      return true;
    case RankOrder::kEnd:
      break;
  }
  return false;
}

}  // namespace

void SendOrder(RankOrder order, Comm& comm) {
  std::vector<at::Tensor> one = {at::tensor({static_cast<int64_t>(order)}, at::kLong)};
  comm.Broadcast(0, one);
}

void SendStart(const std::optional<RankStart>& start, c10::Device device, Comm& comm) {
  if (!start) return SendText("{}", comm);
  // The type that rank 0's device asks for: ranks that rounded otherwise would drift apart.
  TrainOptions options = start->options;
  options.dtype =
      ResolveDtype(options.dtype, device) == at::kFloat ? ComputeDtype::kF32 : ComputeDtype::kBf16;
  const nlohmann::json told = {{"options", OptionsToJson(options)},
                               {"dit", OptionsToJson(start->network.dit)},
                               {"seed", start->seed},
                               {"cache", std::filesystem::absolute(start->cache).string()},
                               {"cache_key", start->cache_key},
                               {"num_clips", start->num_clips},
                               {"null_text", start->network.null_text.sizes().vec()}};
  SendText(told.dump(), comm);
  TrainedNetwork network = start->network;
  BroadcastNetwork(network, comm);
}

std::optional<RankStart> ReceiveStart(Comm& comm) {
  const nlohmann::json told = ParseJson(ReceiveText(comm));
  if (told.empty()) return std::nullopt;
  RankStart start;
  ApplyOptions(start.options, told["options"], "rank 0");
  ApplyOptions(start.network.dit, told["dit"], "rank 0");
  start.seed = told["seed"];
  start.cache = told["cache"].get<std::string>();
  start.cache_key = told["cache_key"];
  start.num_clips = told["num_clips"];
  start.network.null_text = at::zeros(told["null_text"].get<std::vector<int64_t>>());
  for (const auto& [name, shape] : DitWeightShapes(start.network.dit))
    start.network.weights[name] = at::zeros(shape);
  BroadcastNetwork(start.network, comm);
  return start;
}

bool TrainAlong(Comm& comm, const TrainingDevice& device,
                const std::function<bool()>& should_stop) {
  std::optional<RankStart> start = ReceiveStart(comm);
  if (!start) return false;
  LatentCache cache = LatentCache::Open(start->cache, start->cache_key);
  const DataMixes mixes(start->options);
  mixes.LeaveOut(cache);  // named by rank 0 as well
  cache.KeepFirst(start->num_clips);
  const DitOptions dit = start->network.dit;
  const TrainOptions options = start->options;
  const c10::DeviceGuard current(device.device);
  bool is_finished = false;
  ExplainOutOfMemory(dit, options, LargestSample(cache, dit, mixes.ModesOf(cache)), device, [&] {
    Trainer trainer(std::move(start->network), options, start->seed, {comm.rank(), comm.size()},
                    device);
    trainer.TakeStateOfRank0(comm);
    while (FollowOrder(ReceiveOrder(comm), trainer, cache, comm, should_stop)) {
    }
    is_finished = trainer.train_step() >= options.steps;
  });
  return is_finished;
}

}  // namespace aim
