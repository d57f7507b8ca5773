// A data set written again in another layout, as it is.
#pragma once

#include <filesystem>
#include <vector>

#include "aim/base/progress.h"
#include "aim/data/data_set.h"
#include "aim/data/skipped.h"

namespace aim {

// Writes every episode of `data` into `folder` in the layout `to`, with small videos that others
// play (yuv420p). The folder is whole or absent, and takes the place of one that is there. Episodes
// that are damaged, or that the layout cannot hold, are logged and appended to `skipped`. Throws
// InputError if none can be written, IoError if the system fails.
void CopyDataSet(const DataSet& data, const Layout& to, const std::filesystem::path& folder,
                 Progress& progress, std::vector<Skipped>& skipped);

}  // namespace aim
