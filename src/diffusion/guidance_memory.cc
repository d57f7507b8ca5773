#include "aim/diffusion/guidance_memory.h"

#include <ATen/ATen.h>
#include <c10/core/CachingDeviceAllocator.h>

#include <algorithm>

#include "aim/base/memory.h"
#include "aim/base/run_context.h"

namespace aim {

int64_t ForwardBytes(const DitOptions& options, int64_t num_tokens, int64_t batch,
                     c10::ScalarType dtype) {
  const int64_t dim = options.dim;
  const int64_t ffn_dim = options.ffn_dim;
  const auto item = static_cast<int64_t>(c10::elementSize(dtype));
  const int64_t of_token =
      6 * dim * int64_t{sizeof(float)} + std::max(6 * dim, dim + 2 * ffn_dim) * item;
  return batch * num_tokens * of_token;
}

int64_t TextContextBytes(const DitOptions& options, int64_t num_keys, c10::ScalarType dtype) {
  const int64_t numbers = int64_t{2} * options.num_layers * num_keys * options.dim;
  return numbers * static_cast<int64_t>(c10::elementSize(dtype));
}

int64_t NetworkBytes(const Dit& dit) {
  size_t bytes = 0;
  for (const auto& [name, weight] : dit.NamedWeights()) bytes += weight.nbytes();
  for (const DitBlockWeights& block : dit.weights.blocks) {
    DitBlockWeights::ForEachLinear(
        block, "", dit.options,
        [&](const std::string&, const LinearWeights& part, int64_t, int64_t) {
          if (part.scale.defined()) bytes += part.scale.nbytes();
        });
  }
  return static_cast<int64_t>(bytes);
}

bool FillsDevice(const GuidanceLoad& load) {
  constexpr int64_t kNumbersThatFill = int64_t{8192} * 3072;
  return load.device != c10::kCPU && load.num_tokens * load.dim >= kNumbersThatFill;
}

GuidanceMode FittingGuidanceMode(const GuidanceLoad& load) {
  const bool fits = load.added_bytes <= load.free_bytes / 5 * 4;
  return fits && !FillsDevice(load) ? GuidanceMode::kBatched : GuidanceMode::kSequential;
}

int64_t FreeMemoryBytes(c10::Device device) {
  if (device.is_cpu()) return AvailableMemoryBytes();
  // By the interface that all devices share: the same code with and without CUDA.
  c10::DeviceAllocator* allocator = c10::getDeviceAllocator(device.type());
  const c10::DeviceIndex index = std::max<c10::DeviceIndex>(device.index(), 0);
  const auto stats = allocator->getDeviceStats(index);
  constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return static_cast<int64_t>(allocator->getMemoryInfo(index).first) +
         stats.reserved_bytes.at(kAll).current - stats.allocated_bytes.at(kAll).current;
}

int64_t PeakBytes(c10::Device device) {
  if (device.is_cpu()) return PeakMemoryBytes();
  constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  const c10::DeviceIndex index = std::max<c10::DeviceIndex>(device.index(), 0);
  return c10::getDeviceAllocator(device.type())
      ->getDeviceStats(index)
      .allocated_bytes.at(kAll)
      .peak;
}

}  // namespace aim
