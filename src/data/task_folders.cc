#include "data/task_folders.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <tuple>

#include "aim/base/normal_path.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

using Visit = std::function<bool(const fs::path&)>;

constexpr const char* kAllVariations = "all_variations";

// 12 of "episode12"; nothing of "episode", "episode1x" or ".episode1.tmp-7".
std::optional<int> NumberAfter(std::string_view prefix, const std::string& name) {
  if (!name.starts_with(prefix) || name.size() == prefix.size()) return std::nullopt;
  int number = -1;
  const char* begin = name.data() + prefix.size();
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(begin, end, number);
  if (error != std::errc() || stop != end || number < 0) return std::nullopt;
  return number;
}

bool VisitVariation(const fs::path& variation_folder, const Visit& visit) {
  const fs::path folder = variation_folder / "episodes";
  if (!fs::is_directory(folder)) return false;
  for (const auto& [number, path] : NumberedFolders(folder, "episode")) {
    if (visit(path)) return true;
  }
  return false;
}

bool VisitTask(const fs::path& task_folder, const Visit& visit) {
  for (const auto& [number, path] : NumberedFolders(task_folder, "variation")) {
    if (VisitVariation(path, visit)) return true;
  }
  return VisitVariation(task_folder / kAllVariations, visit);
}

EpisodeRef RefOf(const fs::path& path) {
  const fs::path normal = NormalPath(path);
  const fs::path variation = normal.parent_path().parent_path();
  EpisodeRef ref;
  ref.path = path;
  ref.index = NumberAfter("episode", normal.filename().string()).value_or(0);
  ref.variation = NumberAfter("variation", variation.filename().string()).value_or(0);
  ref.task = variation.parent_path().filename().string();
  ref.name = variation.filename() == kAllVariations
                 ? ref.task + "/" + kAllVariations + "/" + normal.filename().string()
                 : EpisodeName(ref.task, ref.variation, ref.index);
  return ref;
}

}  // namespace

std::map<int, fs::path> NumberedFolders(const fs::path& folder, std::string_view prefix) {
  std::map<int, fs::path> folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::optional<int> number = NumberAfter(prefix, entry.path().filename().string());
    if (number && entry.is_directory()) folders[*number] = entry.path();
  }
  return folders;
}

bool VisitTaskEpisodes(const fs::path& root, std::string_view marker, const Visit& visit) {
  if (fs::exists(root / marker)) return visit(root);
  if (VisitVariation(root, visit) || VisitTask(root, visit)) return true;
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    const bool listed = name == kAllVariations || NumberAfter("variation", name).has_value();
    if (!entry.is_directory() || name.starts_with(".") || listed) continue;
    if (VisitTask(entry, visit)) return true;
  }
  return false;
}

std::vector<EpisodeRef> ListTaskEpisodes(const fs::path& root, std::string_view marker) {
  std::vector<EpisodeRef> refs;
  VisitTaskEpisodes(root, marker, [&](const fs::path& path) {
    refs.push_back(RefOf(path));
    return false;
  });
  std::sort(refs.begin(), refs.end(), [](const EpisodeRef& a, const EpisodeRef& b) {
    return std::tie(a.task, a.variation, a.index, a.name) <
           std::tie(b.task, b.variation, b.index, b.name);
  });
  return refs;
}

}  // namespace aim
