#include "data/marked_folders.h"

#include <algorithm>
#include <limits>
#include <system_error>
#include <utility>

#include "aim/base/log.h"
#include "aim/base/normal_path.h"
#include "aim/media/file_names.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kNamesToBeSure = 4000;

class MarkSearch {
 public:
  MarkSearch(const FolderMark& mark, int64_t max_names, std::function<bool(const fs::path&)> visit)
      : mark_(mark), names_left_(max_names), visit_(std::move(visit)) {}

  // Calls visit for every episode until it returns true, which is then returned.
  bool Run(const fs::path& folder, int depth = 0) {
    std::error_code error;
    if (fs::exists(folder / mark_.file, error)) return visit_(folder);
    if (depth == mark_.max_depth) return false;
    fs::directory_iterator walk(folder, error);
    for (; !error && walk != fs::directory_iterator(); walk.increment(error)) {
      if (--names_left_ < 0) return false;
      std::error_code ignored;  // a link to nothing is no folder
      if (IsHidden(walk->path()) || !walk->is_directory(ignored)) continue;
      if (!mark_.left_out.empty() && walk->path().filename() == mark_.left_out) {
        left_out_.push_back(walk->path());
      } else if (Run(walk->path(), depth + 1)) {
        return true;
      }
    }
    if (error) unreadable_.push_back(folder.string() + " (" + error.message() + ")");
    return false;
  }

  std::vector<fs::path> TakeLeftOut() { return std::move(left_out_); }

  // "folder (why)" of those that could not be listed to their end.
  const std::vector<std::string>& unreadable() const { return unreadable_; }

 private:
  FolderMark mark_;
  int64_t names_left_;
  std::function<bool(const fs::path&)> visit_;
  std::vector<fs::path> left_out_;
  std::vector<std::string> unreadable_;
};

}  // namespace

bool HasMarkedFolder(const fs::path& root, const FolderMark& mark) {
  return MarkSearch(mark, kNamesToBeSure, [](const fs::path&) { return true; }).Run(root);
}

MarkedFolders ListMarkedFolders(const fs::path& root, const FolderMark& mark) {
  MarkedFolders found;
  MarkSearch search(mark, std::numeric_limits<int64_t>::max(), [&](const fs::path& path) {
    const fs::path below = NormalPath(path).lexically_relative(NormalPath(root));
    const std::string name = below == "." ? NormalPath(path).filename().string() : below.string();
    found.episodes.push_back({.name = name, .path = path, .task = {}});
    return false;
  });
  search.Run(root);
  for (const std::string& folder : search.unreadable()) {
    LogWarning("left out " + folder + ": the folder cannot be read, nor episodes in it found");
  }
  std::ranges::sort(found.episodes, {}, &EpisodeRef::name);
  found.left_out = search.TakeLeftOut();
  std::ranges::sort(found.left_out);
  return found;
}

}  // namespace aim
