#include "aim/train/trainer_state.h"

#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>
#include <c10/core/Event.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/options.h"
#include "aim/tensor/sealed_weights.h"

namespace aim {
namespace {

void CopyWeights(const WeightMap& from, WeightMap& to) {
  std::erase_if(to, [&](const auto& named) { return !from.contains(named.first); });
  for (const auto& [name, tensor] : from) {
    at::Tensor& copy = to[name];
    const bool fits = copy.defined() && copy.sizes() == tensor.sizes() &&
                      copy.scalar_type() == tensor.scalar_type();
    const at::TensorOptions of_copy =
        tensor.options().device(at::kCPU).pinned_memory(!tensor.is_cpu());
    if (!fits) copy = at::empty(tensor.sizes(), of_copy);
    copy.copy_(tensor, /*non_blocking=*/true);
  }
}

}  // namespace

std::function<void()> CopyState(const TrainerState& state, TrainerState& copy) {
  copy.train_step = state.train_step;
  copy.seed = state.seed;
  CopyWeights(state.weights, copy.weights);
  CopyWeights(state.average, copy.average);
  copy.more_decays = state.more_decays;
  copy.more_averages.resize(state.more_averages.size());
  for (size_t i = 0; i < state.more_averages.size(); ++i)
    CopyWeights(state.more_averages[i], copy.more_averages[i]);
  CopyWeights(state.moments, copy.moments);
  const c10::Device device =
      state.weights.empty() ? c10::Device(c10::kCPU) : state.weights.begin()->second.device();
  if (device.is_cpu()) return [] {};
  const auto copied = std::make_shared<c10::Event>(device.type());
  copied->record(at::accelerator::getCurrentStream(device.index()));
  return [copied] { copied->synchronize(); };
}

std::string AverageFile(double decay) { return "average-" + ToText(decay) + ".safetensors"; }

void WriteProgress(const std::filesystem::path& file, int64_t train_step, uint64_t seed) {
  const nlohmann::json told = {{"train_step", train_step}, {"seed", seed}};
  WriteFileAtomic(file, told.dump(2) + "\n");
}

void WriteState(const TrainerState& state, const std::filesystem::path& dir) {
  WriteFolderAtomic(dir, [&](const std::filesystem::path& folder) {
    WriteSealed(folder / "weights.safetensors", state.weights);
    if (!state.average.empty()) WriteSealed(folder / "average.safetensors", state.average);
    for (size_t i = 0; i < state.more_averages.size(); ++i)
      WriteSealed(folder / AverageFile(state.more_decays[i]), state.more_averages[i]);
    WriteSealed(folder / "optimizer.safetensors", state.moments);
    WriteProgress(folder / "state.json", state.train_step, state.seed);
  });
}

}  // namespace aim
