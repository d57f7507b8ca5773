// Numbers of a data set's episodes, gathered one episode at a time.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "aim/data/open_episode.h"

namespace aim {

// From the smallest to the largest of some values; of none, min is above max.
struct Extent {
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();

  bool empty() const { return !(min <= max); }
  void Add(double value);
};

struct TaskSummary {
  int64_t num_episodes = 0;
  int64_t num_frames = 0;
  int64_t min_frames = 0;  // of an episode
  int64_t max_frames = 0;
  std::map<int, int64_t> variations;  // episodes of each
  std::set<std::string> prompts;      // up to 5
};

// Where the tool was, in episodes that have a pose a frame.
struct PoseSummary {
  int64_t num_episodes = 0;
  int64_t num_poses = 0;
  std::array<Extent, 3> tip_m = {};  // x, y, z of the world
  Extent path_m = {};                // length of an episode's path of the tip
  double open_sum = 0;               // of gripper_open over all poses
  int64_t num_gripper_changes = 0;   // from one side of half open to the other
};

// How often a view shows the tool (codec/rig_check.h).
struct SightSummary {
  int64_t num_frames = 0;  // of episodes whose poses and cameras are known
  double num_seen = 0;     // of them with an anchor in the picture
};

struct SetStatistics {
  int64_t num_episodes = 0;
  int64_t num_frames = 0;
  std::map<std::string, TaskSummary> tasks;  // "" where the layout knows none
  std::map<int, int64_t> views;              // episodes of each number
  std::map<std::string, int64_t> sizes;      // "64x64"
  std::map<std::string, int64_t> rates;      // "8.333" frames a second
  Extent duration_s;                         // of an episode
  int64_t num_calibrated = 0;                // episodes of which every view is
  int64_t num_first_pose = 0;                // episodes with the first pose alone
  PoseSummary poses;
  std::map<std::string, SightSummary> sight;  // of each view
};

// Looks at no picture.
void Add(const OpenEpisode& episode, SetStatistics& statistics);

// Length of the path of the tip, metres.
double TipPathLength(const Clip& clip);

// {"episodes", "frames", "tasks": {name: {"episodes", "variations": {number: episodes}, "frames":
// {"min", "mean", "max"}, "prompts"}}, "views", "sizes", "fps": {which: episodes}, "seconds",
// "poses": {"episodes", "first_pose_episodes", "tip_m": {"x", "y", "z"}, "path_m",
// "gripper_open_share", "gripper_changes"}, "cameras": {"calibrated_episodes", "tool_seen": {view:
// share of frames}}}; ranges are {"min", "max"}, what nothing is known of is null.
nlohmann::json ToJson(const SetStatistics& statistics);

}  // namespace aim
