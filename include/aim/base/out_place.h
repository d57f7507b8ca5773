// Where a result may lie beside what it was made of.
#pragma once

#include <filesystem>

namespace aim {

// Whether `below` is `above` or lies in it, as the file system sees it: links are followed. What is
// not there yet counts by the folders that are.
bool HoldsOrIs(const std::filesystem::path& above, const std::filesystem::path& below);

// Throws ConfigError naming `flag` if `out` is the folder `input` or would be made in it: the next
// who reads the input would read the result with it.
void RefuseOutInside(const std::filesystem::path& out, const std::filesystem::path& input,
                     const char* flag = "--out");

}  // namespace aim
