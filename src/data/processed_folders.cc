#include "data/processed_folders.h"

#include <algorithm>

#include "aim/base/atomic_file.h"
#include "aim/base/normal_path.h"
#include "aim/base/utf8.h"
#include "aim/media/file_names.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> EpisodesIn(const fs::path& folder, const IsEpisode& is_episode) {
  std::vector<fs::path> episodes;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const bool is_shown = entry.is_directory() && !IsHidden(entry.path());
    if (is_shown && is_episode(entry.path())) episodes.push_back(entry.path());
  }
  std::sort(episodes.begin(), episodes.end());
  return episodes;
}

}  // namespace

std::vector<EpisodeRef> ListProcessed(const fs::path& root, const IsEpisode& is_episode) {
  std::vector<fs::path> paths;
  if (is_episode(root)) {
    paths = {root};
  } else {
    paths = EpisodesIn(root, is_episode);
    const fs::path processed = root / "processed";
    if (paths.empty() && fs::is_directory(processed)) paths = EpisodesIn(processed, is_episode);
  }
  std::vector<EpisodeRef> refs;
  refs.reserve(paths.size());
  for (const fs::path& path : paths) {
    refs.push_back({.name = NormalPath(path).filename().string(), .path = path, .task = {}});
  }
  return refs;
}

std::string FirstLineOf(const fs::path& path) {
  const std::string text = ToUtf8(ReadFile(path));
  return text.substr(0, text.find_first_of("\r\n"));
}

std::string ReadInstruction(const fs::path& episode) {
  return FirstLineOf(episode / "instruction.txt");
}

}  // namespace aim
