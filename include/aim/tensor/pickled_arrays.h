// Weights as JAX programs keep them: a pickle of nested dictionaries of NumPy arrays.
#pragma once

#include <filesystem>

#include "aim/tensor/weights.h"

namespace aim {

// The arrays as float32 in memory; names are the keys on the way, joined by slashes:
// "params/Conv_0/kernel". Nothing in the file is executed (format/pickle.h). Throws InputError if
// it is missing, FormatError naming file and key for whatever is neither a dictionary nor an array
// of numbers.
WeightMap ReadPickledArrays(const std::filesystem::path& path);

}  // namespace aim
