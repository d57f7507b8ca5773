// Names of compute devices.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <string>

namespace aim {

// "cpu", "cuda" (= "cuda:0") or "cuda:N". Throws ConfigError, naming `where`, for any other text,
// for CUDA in a build or on a machine without it, and for a GPU number that does not exist.
// Where CUDA is chosen, float32 convolutions are computed in float32 from then on, not in TF32.
c10::Device ParseDevice(const std::string& text, const std::string& where = "--device");

// `made`, of the CPU, on `device`. A GPU's queue goes on meanwhile: the copy goes through pinned
// memory, as one from pages of other memory waits for what was queued before.
at::Tensor CopyQueued(const at::Tensor& made, c10::Device device);

}  // namespace aim
