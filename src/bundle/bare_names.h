// Names of weights without what trainers, pipelines and other programs put before them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace aim {

// Without the usual first words, however many, and without the wrappers of trainers anywhere:
// "module.model.blocks.0._orig_mod.norm" is "blocks.0.norm". A name of nothing else stays.
std::string StripPrefixes(std::string_view stored);

// Drops the first part of all names, where all have the same one. Returns whether they had.
bool DropSharedPart(std::vector<std::string>& names);

}  // namespace aim
