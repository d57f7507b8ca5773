// What a LeRobot data set says of itself and of its episodes: meta/info.json, tasks, episodes.
// docs/reference/formats.md 3.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace aim {

// A column, or the pictures of a camera.
struct LeRobotFeature {
  std::string key;
  std::string dtype;               // "float32", "video", ...
  std::vector<int> shape;          // empty if it is not said
  std::vector<std::string> names;  // of its numbers; empty if they have none
  bool is_depth = false;

  bool is_video() const { return dtype == "video"; }
  bool is_pictures() const { return dtype == "image"; }  // in the rows themselves
};

// Where an episode's pictures of a camera lie.
struct LeRobotVideo {
  std::filesystem::path path;  // of pictures in the rows: its rows' file
  double begin_s = 0;          // of its frame 0 in the file; of a video
};

struct LeRobotEpisode {
  int index = 0;
  int num_frames = 0;
  std::vector<std::string> prompts;  // its tasks
  std::filesystem::path data;        // its rows' file
  int64_t first_row = 0;             // in that file
  std::vector<LeRobotVideo> videos;  // of each of LeRobotIndex::cameras
  std::string task;                  // of this project's own data sets
  int variation = 0;
  uint64_t seed = 0;
};

struct LeRobotIndex {
  double fps = 0;
  std::vector<LeRobotFeature> features;  // in the order of info.json
  std::vector<std::string> cameras;      // keys of videos and pictures, without depth
  std::vector<std::string> prompts;      // by task_index
  std::vector<LeRobotEpisode> episodes;
  bool shares_files = false;  // many episodes a file: v3.0

  const LeRobotFeature* Find(const std::string& key) const;  // null if there is none
  bool HasVideo(const std::string& camera) const { return Find(camera)->is_video(); }
};

// The columns that this project adds to meta/episodes.
inline constexpr const char* kLeRobotTask = "aim/task";
inline constexpr const char* kLeRobotVariation = "aim/variation";
inline constexpr const char* kLeRobotSeed = "aim/seed";

// Versions 2.0, 2.1 and 3.x. Throws InputError that names the file and the field.
LeRobotIndex ReadLeRobotIndex(const std::filesystem::path& root);

// A path of info.json ("data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet") with its
// numbers and, in place of {video_key}, `camera`. Throws InputError naming `where` for other
// places in it, and for a path out of the data set.
struct LeRobotPlace {
  int64_t chunk = 0;
  int64_t file = 0;     // v3
  int64_t episode = 0;  // v2
  std::string camera;
};
std::filesystem::path FillLeRobotPath(const std::string& text, const LeRobotPlace& place,
                                      const std::string& where);

}  // namespace aim
