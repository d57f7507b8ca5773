#include "data/foreign_layouts.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>
#include <system_error>

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 5;       // folders below the root that are looked into
constexpr int kMaxEntries = 2000;  // files and folders that are looked at in all

// A file that only one kind of data set has.
struct Mark {
  std::string_view name;    // of the file, or its ending if it begins with "*"
  std::string_view folder;  // that it lies in; empty for any
  const char* what;
  const char* fix =
      "write its episodes in one of these layouts first; docs/data.md says what each "
      "holds";
};
constexpr std::array kMarks = {
    Mark{"cache.json", "", "a latent cache (cache.json)",
         "train from it with --set clips.dir=DIR, without --data"},
    Mark{"dataset_info.json", "", "an RLDS data set (dataset_info.json)"},
    Mark{"*.tfrecord", "", "an RLDS data set (.tfrecord files)"},
    Mark{"*.hdf5", "", "HDF5 demonstrations, as robomimic and LIBERO write them"},
    Mark{".zarray", "", "a Zarr archive"},
    Mark{"*.mcap", "", "ROS recordings (.mcap)"},
    Mark{"*.bag", "", "ROS recordings (.bag)"},
};

bool Fits(const Mark& mark, const fs::path& file) {
  const std::string name = file.filename().string();
  if (mark.name.starts_with('*') ? !name.ends_with(mark.name.substr(1)) : name != mark.name) {
    return false;
  }
  return mark.folder.empty() || file.parent_path().filename() == mark.folder;
}

}  // namespace

Foreign ForeignLayout(const fs::path& root) {
  std::error_code error;
  fs::recursive_directory_iterator walk(root, fs::directory_options::skip_permission_denied, error);
  int num_entries = 0;
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (++num_entries > kMaxEntries) break;
    if (walk.depth() >= kMaxDepth) walk.disable_recursion_pending();
    for (const Mark& mark : kMarks) {
      if (Fits(mark, walk->path())) return {mark.what, mark.fix};
    }
  }
  return {};
}

}  // namespace aim
