// Names of compute devices.
#pragma once

#include <c10/core/Device.h>

#include <string>

namespace aim {

// "cpu", "cuda" (= "cuda:0") or "cuda:N". Throws ConfigError, naming `where`, for any other text,
// for CUDA in a build or on a machine without it, and for a GPU number that does not exist.
// Where CUDA is chosen, float32 convolutions are computed in float32 from then on, not in TF32.
c10::Device ParseDevice(const std::string& text, const std::string& where = "--device");

}  // namespace aim
