// What aim and a simulator in a child process say to one another: docs/reference/env_protocol.md.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aim/control/env.h"
#include "aim/format/msgpack.h"
#include "aim/geometry/camera_pair.h"

namespace aim {

inline constexpr const char* kEnvProtocol = "aim-env";
inline constexpr int kEnvProtocolMajor = 1;
inline constexpr int kEnvProtocolMinor = 2;

struct ChildTask {
  std::string name;
  int num_variations = 1;
  int frames_without_expert = 0;                           // 0: it has a scripted expert
  Eigen::Vector3d scene_centre = Eigen::Vector3d::Zero();  // of cameras that are moved
};

// What a child says of itself when it has been opened.
struct ChildDescription {
  std::string simulator;                        // with its version
  std::map<std::string, std::string> settings;  // environment variables that it was chosen by
  std::vector<ChildTask> tasks;
  std::vector<std::string> views;
  CameraAxes camera_axes = CameraAxes::kOpencv;
  double frame_period_s = 0;  // that a step takes; 0 = as long as the motion takes
  double control_hz = 0;
  Eigen::Vector3d workspace_low = Eigen::Vector3d::Zero();  // of the tip; others are refused
  Eigen::Vector3d workspace_high = Eigen::Vector3d::Zero();
  bool can_place_cameras = false;
};

struct ChildObservation {
  Observation observation;
  bool success = false;
};

// What a scripted expert would do.
struct ChildPlan {
  std::vector<ToolPose> commands;
  bool at_start = false;  // the arm still stands where the reset has put it
};

// A part of the gripper: a point of it, and where a picture shows that part.
struct GripperMark {
  std::string name;
  Eigen::Vector3d p_in_world;
  std::vector<uint8_t> mask;  // [H, W], not 0 = shown there; all 0 = hidden or outside
};

// All throw FormatError or InputError naming the field, ConfigError if it is another version.
ChildDescription DescriptionFrom(const MsgpackValue& message);
ChildObservation ObservationFrom(const MsgpackValue& message, const ChildDescription& description,
                                 int image_size);
StepOutcome OutcomeFrom(const MsgpackValue& message);
ChildPlan PlanFrom(const MsgpackValue& message);
std::vector<std::vector<GripperMark>> MarksFrom(const MsgpackValue& message, size_t num_views,
                                                int image_size);
std::vector<uint8_t> PictureFrom(const MsgpackValue& message, int size);

MsgpackValue OpenMessage(const EnvOptions& options);
MsgpackValue SceneMessage(const std::string& op, const std::string& task, int variation,
                          uint64_t seed);
MsgpackValue StepMessage(const ToolPose& target);
MsgpackValue CamerasMessage(const std::vector<CameraTrack>& views, CameraAxes axes);

}  // namespace aim
