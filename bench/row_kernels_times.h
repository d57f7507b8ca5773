// How long the row kernels take beside the same formulas in ATen, and what a block of the network
// takes with them.
#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <nlohmann/json.hpp>

namespace aim {

// Of one clip in the released 5 B system, or toys.
struct RowKernelSizes {
  int64_t tokens = 11264;
  int64_t width = 3072;
  int64_t num_heads = 24;
  int64_t ffn_width = 14336;
  int64_t text_length = 512;
  int64_t frames = 44;
  int64_t num_layers = 30;
};

// Median over several runs of milliseconds for one call, the device idle before and after a run.
double Milliseconds(c10::Device device, const std::function<void()>& work);

// Milliseconds, and GB/s of the bytes that a kernel must read and write.
nlohmann::json TimeRowKernels(c10::Device device, const RowKernelSizes& sizes);

// Products, GELU behind or in a product, attention by name.
nlohmann::json TimeBuildingBlocks(c10::Device device, const RowKernelSizes& sizes);

// One block with random weights, by the kernels and by ATen's operations as a build without them
// does, and the forward of `num_layers` of them.
nlohmann::json TimeBlock(c10::Device device, const RowKernelSizes& sizes);

}  // namespace aim
