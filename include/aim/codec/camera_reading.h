// What the numbers of a camera may have been meant for, by those who suspect its file.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "aim/geometry/camera.h"
#include "aim/geometry/tool_pose.h"

namespace aim {

// A convention in which a file may hold a camera: the transform either way round, each axis of the
// camera either way round. A focal length of the other sign is a mirrored axis.
struct CameraReading {
  bool inverted = false;    // world_from_camera holds camera_from_world
  bool backward = false;    // y and z point the other way, as in OpenGL
  bool mirrored_x = false;  // x points the other way
  bool mirrored_y = false;  // y does; both mirrored are RLBench's axes

  bool operator==(const CameraReading&) const = default;
};

// All sixteen, the one without any change first.
std::array<CameraReading, 16> AllCameraReadings();

// The camera that was meant if its numbers are to be read so. Two mirrored axes, or two negative
// focal lengths, are a half turn and become one; a single one stays, as a negative focal length:
// it is a mirrored picture, which no rigid transform expresses.
Camera ReadAs(const CameraReading& reading, Camera camera);

// "world_from_camera with OpenGL's axes (x right, y up, z backward)".
std::string ToWords(const CameraReading& reading);

// The translations were given in millimetres.
Camera InMetres(Camera camera);
std::vector<ToolPose> PosesInMetres(std::vector<ToolPose> poses);

// How many times as wide as the camera's the picture is that a principal point in its middle would
// belong to.
double ResolutionRatio(const Camera& camera);

// Intrinsics of a picture `ratio` times as large, for this camera's picture. A ratio that is not
// positive changes nothing.
Camera FromResolution(Camera camera, double ratio);

// A change of one camera made to every one of the tracks.
template <class Change>
std::vector<CameraTrack> ChangeAll(std::vector<CameraTrack> tracks, const Change& change) {
  for (CameraTrack& track : tracks) {
    for (Camera& camera : track.frames) camera = change(camera);
  }
  return tracks;
}

}  // namespace aim
