#include "aim/codec/camera_reading.h"

namespace aim {
namespace {

const Eigen::Quaterniond kHalfTurnAboutX(0, 1, 0, 0);
const Eigen::Quaterniond kHalfTurnAboutZ(0, 0, 0, 1);

std::string AxesWords(const CameraReading& reading) {
  const bool is_up = reading.mirrored_y != reading.backward;
  const std::string axes = std::string("x ") + (reading.mirrored_x ? "left" : "right") + ", y " +
                           (is_up ? "up" : "down") + ", z " +
                           (reading.backward ? "backward" : "forward");
  const bool is_mirrored = reading.mirrored_x != reading.mirrored_y;
  if (is_mirrored) return "mirrored axes (" + axes + ")";
  const char* owner = reading.mirrored_x ? (reading.backward ? "turned" : "RLBench's") : "OpenGL's";
  return std::string(owner) + " axes (" + axes + ")";
}

}  // namespace

std::array<CameraReading, 16> AllCameraReadings() {
  std::array<CameraReading, 16> readings;
  for (size_t i = 0; i < readings.size(); ++i) {
    readings[i] = {.inverted = (i & 8) != 0,
                   .backward = (i & 4) != 0,
                   .mirrored_x = (i & 2) != 0,
                   .mirrored_y = (i & 1) != 0};
  }
  return readings;
}

Camera ReadAs(const CameraReading& reading, Camera camera) {
  Rigid3d& world_from_camera = camera.world_from_camera;
  if (reading.inverted) world_from_camera = Inverse(world_from_camera);
  if (reading.backward) world_from_camera.rotation *= kHalfTurnAboutX;
  if (reading.mirrored_x) camera.fx = -camera.fx;
  if (reading.mirrored_y) camera.fy = -camera.fy;
  if (camera.fx < 0 && camera.fy < 0) {
    camera.fx = -camera.fx;
    camera.fy = -camera.fy;
    world_from_camera.rotation *= kHalfTurnAboutZ;
  }
  return camera;
}

std::string ToWords(const CameraReading& reading) {
  const std::string transform = reading.inverted ? "camera_from_world" : "world_from_camera";
  if (reading.backward || reading.mirrored_x || reading.mirrored_y) {
    return transform + " with " + AxesWords(reading);
  }
  return reading.inverted ? "world_from_camera inverted (camera_from_world was given)"
                          : "world_from_camera as given";
}

Camera InMetres(Camera camera) {
  camera.world_from_camera.translation /= 1000;
  return camera;
}

std::vector<ToolPose> PosesInMetres(std::vector<ToolPose> poses) {
  for (ToolPose& pose : poses) pose.world_from_tool.translation /= 1000;
  return poses;
}

double ResolutionRatio(const Camera& camera) { return 2 * camera.cx / camera.width; }

Camera FromResolution(Camera camera, double ratio) {
  if (!(ratio > 0)) return camera;
  camera.fx /= ratio;
  camera.fy /= ratio;
  camera.cx /= ratio;
  camera.cy /= ratio;
  return camera;
}

}  // namespace aim
