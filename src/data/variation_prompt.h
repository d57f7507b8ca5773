// What a variation of a task is called: RLBench's variation_descriptions.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "aim/data/episode.h"

namespace aim {

// The first instruction of variation_descriptions.json, .pkl or .txt (in this order) in the episode
// or in its variation, or else the task's name in words, which WarnOfMissingPrompts says once.
std::string VariationPrompt(const EpisodeRef& episode);
std::string DescriptionStamp(const EpisodeRef& episode);  // FileStamp of the file that is read
void WarnOfMissingPrompts(const std::filesystem::path& root,
                          const std::vector<EpisodeRef>& episodes);

}  // namespace aim
