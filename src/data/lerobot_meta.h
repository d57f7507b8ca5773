// The files of meta/ that are JSON, and what makes pandas read tasks.parquet as LeRobot does.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/geometry/camera.h"
#include "data/lerobot_rows.h"
#include "data/lerobot_statistics.h"

namespace aim {

// Whether a column holds the pictures of a camera.
bool IsLeRobotPicture(const std::string& key);

// All of info.json but the features.
struct LeRobotInfo {
  int width = 0;   // pixels
  int height = 0;  // pixels
  double fps = 0;
  bool lossless = false;
  int64_t num_episodes = 0;
  int64_t num_frames = 0;
  size_t num_tasks = 0;
  int64_t data_mb = 0;
  int64_t video_mb = 0;
};
nlohmann::ordered_json FeaturesJson(const LeRobotInfo& info, const std::vector<std::string>& videos,
                                    const std::vector<LeRobotColumn>& columns);
nlohmann::ordered_json InfoJson(const LeRobotInfo& info, const nlohmann::ordered_json& features);

nlohmann::ordered_json StatisticsJson(const std::map<std::string, ColumnStatistics>& statistics);

// cameras.json: those that hold for all episodes with their numbers, others by name and size.
struct LeRobotCamera {
  std::string name;
  Camera camera;
  bool is_fixed = true;
};
nlohmann::ordered_json CamerasJson(const std::vector<LeRobotCamera>& cameras);

// For the footer of tasks.parquet: the column "task" is the frame's index.
nlohmann::ordered_json PandasMetadata();

}  // namespace aim
