// Rows of eight-bit floats (kernels/scaled_rows.h, scaled_product.h): right, and how fast.
#pragma once

#include <c10/core/Device.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "row_kernels_times.h"

namespace aim {

// Every operation that quantises, as a network calls it, in every type, with rows of many widths,
// odd numbers of them, and pointers that are not aligned: each number must be within half of its
// last digit of the formula's. What a kernel does not write is NaN.
//   returns {"passed", "cases", "failed": [names], "largest": error in parts of what is allowed}
nlohmann::json CheckScaledRows(c10::Device device, std::ostream& log);

// Milliseconds of the operations and of the products beside those in bfloat16; errors of a product
// against float64 of what was quantised, with the fast sums of the units and the slower ones.
nlohmann::json TimeScaledRows(c10::Device device, const RowKernelSizes& sizes);

}  // namespace aim
