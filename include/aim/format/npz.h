// NumPy's .npz files: arrays by name in a ZIP archive, stored as numpy.savez writes them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "aim/format/npy.h"

namespace aim {

// The array under the first of `names` that is there. Throws InputError if the file is missing or
// holds none of them, FormatError for damaged bytes and for what numpy.savez_compressed writes.
NpyArray ReadNpzArray(const std::filesystem::path& path, const std::vector<std::string>& names);

}  // namespace aim
