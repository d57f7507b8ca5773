// Trees of any depth whose episodes are folders with one file that no other folder has.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "aim/data/episode.h"

namespace aim {

struct FolderMark {
  std::string_view file;      // that an episode's folder holds
  int max_depth = 0;          // of an episode's folder below the root
  std::string_view left_out;  // folders of this name below the root are not entered; empty: none
};

// Whether `root` or a folder below it is an episode; gives up after a few thousand names.
bool HasMarkedFolder(const std::filesystem::path& root, const FolderMark& mark);

// The episodes, called by their path below the root ("AUTOLab/success/2023-07-08/run"), or by
// their own name where the root is one; by name. Hidden folders do not count, what lies in an
// episode is not entered.
struct MarkedFolders {
  std::vector<EpisodeRef> episodes;
  std::vector<std::filesystem::path> left_out;  // folders that were not entered
};
MarkedFolders ListMarkedFolders(const std::filesystem::path& root, const FolderMark& mark);

}  // namespace aim
