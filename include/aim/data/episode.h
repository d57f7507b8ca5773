// One recorded episode: what a data set holds and training reads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "aim/codec/clip.h"

namespace aim {

// All views have one camera and one picture a frame. `clip.poses` are the **commanded** poses: what
// a policy has to say so that the robot does the same (frame 0: the pose at the start); one a
// frame, or, where the layout allows it, the first alone, or none.
struct Episode {
  Clip clip;
  std::vector<double> times_s;     // of each frame, as its files say; empty: frame / fps
  std::vector<ToolPose> measured;  // where the tool really was at each frame; empty if not recorded
  std::vector<double> confidence;  // of each pose, [0, 1], where they are labels; empty: recorded
  std::string task;                // empty if the layout does not know
  int variation = 0;
  uint64_t seed = 0;  // of the simulator's reset; 0 if not recorded
};

// An episode of a data set that has not been read.
struct EpisodeRef {
  std::string name;            // its own in the data set: "close_drawer/variation0/episode12"
  std::filesystem::path path;  // its folder or file
  std::string task;            // empty where only reading would tell
  int variation = 0;
  int index = 0;
};

// "close_drawer/variation0/episode12": an episode's name, wherever its data set lies.
std::string EpisodeName(const std::string& task, int variation, int index);

// Frames [begin, end) of an episode; end -1 stands for its length. What lies past its length is
// left out.
struct FrameRange {
  int begin = 0;
  int end = -1;

  bool whole() const { return begin == 0 && end == -1; }
};

// What can be known of an episode without decoding a picture.
struct EpisodeShape {
  int num_frames = 0;
  int num_views = 0;
  int width = 0;   // pixels
  int height = 0;  // pixels
  double fps = 0;
};

}  // namespace aim
