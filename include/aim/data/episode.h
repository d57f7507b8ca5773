// One recorded episode: what a data set holds and training reads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "aim/codec/clip.h"

namespace aim {

// All views have one camera and one picture a pose. `clip.poses` are the **commanded** poses: what
// a policy has to say so that the robot does the same (frame 0: the pose at the start).
struct Episode {
  Clip clip;
  std::vector<ToolPose> measured;  // where the tool really was at each frame; empty if not recorded
  std::string task;
  int variation = 0;
  uint64_t seed = 0;  // of the simulator's reset; 0 if not recorded
};

// Where an episode lies, without having been read.
struct EpisodePath {
  std::filesystem::path path;
  std::string task;
  int variation = 0;
  int index = 0;

  // "close_drawer/variation0/episode12", for messages.
  std::string Name() const;
};

}  // namespace aim
