#include "pipeline/episode_items.h"

#include "aim/data/action_images_layout.h"
#include "aim/data/clip_folder.h"

namespace aim {

namespace fs = std::filesystem;

Episode EpisodeItem::Read() const { return episode ? ReadEpisode(*episode) : ReadClipFolder(path); }

std::vector<EpisodeItem> ListEpisodeItems(const fs::path& data) {
  std::vector<EpisodeItem> items;
  for (const fs::path& path : ListClipFolders(data)) {
    const fs::path normal = fs::absolute(path).lexically_normal();
    const fs::path name = normal.has_filename() ? normal : normal.parent_path();
    items.push_back({name.filename().string(), path, {}});
  }
  if (!items.empty()) return items;
  for (const EpisodePath& episode : ListEpisodes(data)) {
    items.push_back({episode.Name(), episode.path, episode});
  }
  return items;
}

}  // namespace aim
