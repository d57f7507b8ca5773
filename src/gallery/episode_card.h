// One episode as the page of a data set shows it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "aim/data/open_episode.h"

namespace aim {

// Values of the template "episode_card". Reads some of its pictures; throws what OpenEpisode::Read
// does.
nlohmann::json EpisodeCard(const std::string& name, OpenEpisode& episode);

}  // namespace aim
