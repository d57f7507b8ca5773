// Trees of <root>/<task>/variation<N>/episodes/episode<K>, as RLBench and what grew out of it write
// them; PerAct has one folder all_variations in place of variation<N>.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include "aim/data/episode.h"

namespace aim {

// Sub-folders called <prefix><number>, by number.
std::map<int, std::filesystem::path> NumberedFolders(const std::filesystem::path& folder,
                                                     std::string_view prefix);

// Calls visit(folder) for every episode<K> folder of a tree, a task or a variation at `root`, or
// for `root` alone if it holds the file `marker`, which every episode has; until it returns true,
// which is then returned. Folders of other names are not entered.
bool VisitTaskEpisodes(const std::filesystem::path& root, std::string_view marker,
                       const std::function<bool(const std::filesystem::path&)>& visit);

// Those that VisitTaskEpisodes visits, by task, variation and number. Variation 0 stands for one
// that the folders do not name.
std::vector<EpisodeRef> ListTaskEpisodes(const std::filesystem::path& root,
                                         std::string_view marker);

}  // namespace aim
