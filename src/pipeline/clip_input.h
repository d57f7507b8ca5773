// The clip that aim-generate starts from, read from the files of its command line.
#pragma once

#include "aim/codec/clip.h"
#include "aim/pipeline/generate_clip.h"
#include "aim/policy/clip_generator.h"

namespace aim {

struct ClipInput {
  Clip clip;           // at the model's size; as many frames as the model wants, or the first
  int num_frames = 0;  // frames of the result: fewer if the videos or poses are shorter
  std::vector<double> times_s;  // of each frame of a given video; empty if there is none
  bool first_pose_given = false;
};

// Throws InputError, ConfigError naming the flag or file: numbers of views, cameras, frames and
// poses that do not match, and what the readers refuse.
ClipInput ReadClipInput(const GenerateClipOptions& options, const ClipGenerator& generator);

// "x y z qx qy qz qw open". Throws InputError naming `where`.
ToolPose ParsePose(const std::string& text, const std::string& where);

}  // namespace aim
