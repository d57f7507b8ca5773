// Stored RLBench episodes, where the data lie beside the checkout.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace aim::testing {

// The folder of a stored episode, "episode0"; it may be missing.
inline std::filesystem::path RlbenchEpisode(const std::string& name) {
  const char* source = std::getenv("AIM_SOURCE_DIR");
  return std::filesystem::path(source == nullptr ? "." : source) /
         "../shared/data/rlbench_peract/open_drawer/all_variations/episodes" / name;
}

// Why its numbers cannot be converted here, for GTEST_SKIP; empty if they can.
inline std::string WhyNoRlbenchEpisode(const std::string& name) {
  if (std::getenv("AIM_SOURCE_DIR") == nullptr) return "AIM_SOURCE_DIR is not set: run ctest";
  if (!std::filesystem::exists(RlbenchEpisode(name) / "low_dim_obs.pkl")) {
    return "no stored RLBench episodes here";
  }
  if (std::system("python3 -c 1 > /dev/null 2>&1") != 0) return "no python3";
  return "";
}

// Its cameras ("front,overhead"), scaled to `size_px`, and its poses, as cameras.json and poses.csv
// in `folder`, by scripts/extract_rlbench_poses.py. Whether that worked.
inline bool ExtractRlbenchEpisode(const std::string& name, const std::string& cameras, int size_px,
                                  const std::filesystem::path& folder) {
  const std::string command = "python3 '" + std::string(std::getenv("AIM_SOURCE_DIR")) +
                              "/scripts/extract_rlbench_poses.py' '" +
                              RlbenchEpisode(name).string() + "' '" + folder.string() +
                              "' --cameras " + cameras + " --size " + std::to_string(size_px);
  return std::system(command.c_str()) == 0;
}

}  // namespace aim::testing
