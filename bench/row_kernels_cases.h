// The row kernels of the GPU against their formulas in float64, forward and backward.
#pragma once

#include <c10/core/Device.h>

#include <nlohmann/json.hpp>
#include <ostream>

namespace aim {

// Every kernel in every type, with rows of many widths, odd numbers of them, and pointers that are
// not aligned. What a kernel does not write is NaN. A line for each case that fails on `log`.
//   returns {"passed", "cases", "failed": [names], "largest": {kernel and types: relative error}}
nlohmann::json CheckRowKernels(c10::Device device, std::ostream& log);

}  // namespace aim
