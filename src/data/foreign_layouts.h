// Data sets of other software, named for what they are.
#pragma once

#include <filesystem>
#include <string>

namespace aim {

struct Foreign {
  std::string what;  // "a LeRobot data set (meta/info.json)"; empty if nothing known
  std::string fix;   // what to do with it
};

// What `root` is, by names of files alone.
Foreign ForeignLayout(const std::filesystem::path& root);

}  // namespace aim
