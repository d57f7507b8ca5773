// The episodes of a data set in either layout that can be read without a policy's help.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "aim/data/episode.h"

namespace aim {

// One episode, not read yet.
struct EpisodeItem {
  std::string name;  // its folder, relative to the data set
  std::filesystem::path path;
  std::optional<EpisodePath> episode;  // of the ActionImages layout, else a clip folder

  Episode Read() const;
};

// Clip folders if there are any, else the ActionImages layout. Throws InputError if `data` is
// missing or holds neither.
std::vector<EpisodeItem> ListEpisodeItems(const std::filesystem::path& data);

}  // namespace aim
