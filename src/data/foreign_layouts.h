// Data sets of other software, named for what they are.
#pragma once

#include <filesystem>
#include <string>

namespace aim {

// What `root` is, as in "a LeRobot data set (meta/info.json)"; empty if nothing known. By names of
// files alone.
std::string ForeignLayout(const std::filesystem::path& root);

}  // namespace aim
