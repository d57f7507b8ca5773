// Trees of <root>[/processed]/<episode>/..., as the Action Images project keeps Bridge and DROID.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "aim/data/episode.h"

namespace aim {

using IsEpisode = std::function<bool(const std::filesystem::path& folder)>;

// The episodes at `root`, in it or in its folder "processed", by name; hidden folders do not count.
std::vector<EpisodeRef> ListProcessed(const std::filesystem::path& root,
                                      const IsEpisode& is_episode);

// The first line of a text file in any encoding (base/utf8.h).
std::string FirstLineOf(const std::filesystem::path& path);

// instruction.txt of an episode, its first line. Throws InputError if it is missing: there is no
// other instruction.
std::string ReadInstruction(const std::filesystem::path& episode);

}  // namespace aim
