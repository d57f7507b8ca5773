// Which columns of a LeRobot data set are tool poses, cameras and confidence, and what they say.
// docs/reference/formats.md 3.3 and 9.10.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aim/data/episode.h"
#include "data/lerobot_index.h"
#include "data/parquet.h"

namespace aim {

// The names under which this project writes them, too.
inline constexpr const char* kLeRobotAction = "action";
inline constexpr const char* kLeRobotState = "observation.state";
inline constexpr const char* kLeRobotValid = "action_valid";
inline constexpr const char* kLeRobotConfidence = "confidence";
inline constexpr const char* kLeRobotPictures = "observation.images.";   // and the camera
inline constexpr const char* kLeRobotIntrinsics = "camera_intrinsics.";  // fx fy cx cy
inline constexpr const char* kLeRobotCamera = "camera_extrinsics_c2w.";  // world from camera, 4x4
inline constexpr const char* kDroidCamera = "camera_extrinsics.";        // x y z roll pitch yaw

inline constexpr size_t kLeRobotCameraNumbers = 16;

// "front" of "observation.images.front".
std::string LeRobotCameraName(const std::string& key);

class LeRobotColumns {
 public:
  // Throws InputError for a meta/cameras.json that is wrong.
  LeRobotColumns(const std::filesystem::path& root, const LeRobotIndex& index);

  const std::vector<std::string>& needed() const { return needed_; }

  // What no episode has, as a sentence each.
  const std::vector<std::string>& lacks() const { return lacks_; }

  // Poses, measured poses, confidence and the cameras of `episode`, whose views have names and
  // whose clip has a size. Throws InputError naming the row.
  void Fill(const ParquetTable& rows, int num_frames, Episode& episode) const;

 private:
  // A number of a row.
  struct Place {
    std::string column;
    size_t width = 1;
    size_t at = 0;
  };
  struct PosePlaces {
    std::vector<Place> numbers;    // x y z and qx qy qz qw, or roll pitch yaw
    std::optional<Place> gripper;  // open where there is none
    bool is_closed = false;        // 1 = closed
  };
  struct CameraPlaces {
    std::string intrinsics;            // columns; empty where there is none
    std::string world_from_camera;     // 16 numbers
    std::string position_and_euler;    // 6
    std::optional<CameraTrack> track;  // of meta/cameras.json
  };

  static std::optional<PosePlaces> FindPose(const LeRobotIndex& index, const std::string& prefix);
  CameraPlaces FindCamera(const LeRobotIndex& index, const std::string& name,
                          const std::vector<CameraTrack>& tracks) const;
  void Need(const PosePlaces& pose);
  void Need(const std::string& column);

  std::vector<ToolPose> Poses(const ParquetTable& rows, const PosePlaces& places,
                              const std::vector<bool>& is_valid) const;
  bool IsActionAgain(const ParquetTable& rows) const;
  std::vector<bool> ValidFrames(const ParquetTable& rows, size_t num_frames) const;
  void FillCamera(const ParquetTable& rows, size_t num_frames, const CameraPlaces& places,
                  const Clip& clip, CameraTrack& track) const;

  std::optional<PosePlaces> action_;
  std::optional<PosePlaces> state_;
  size_t valid_width_ = 0;  // 0: no such column
  bool has_confidence_ = false;
  std::map<std::string, CameraPlaces> cameras_;  // by name
  std::vector<std::string> needed_;
  std::vector<std::string> lacks_;
};

}  // namespace aim
