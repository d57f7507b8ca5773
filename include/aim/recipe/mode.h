// The modes of the model: which segments a canvas has, which latents are given, how often a mode is
// trained and what may then be left out. One table, read by training and inference alike.
// docs/reference/method.md 2.1.
#pragma once

#include <string>
#include <vector>

namespace aim {

enum class Given { kNone, kFirst, kAll };

// One segment of every view.
struct SegmentRule {
  bool present = false;
  bool first_only = false;  // the canvas holds only the first latent frame
  Given given = Given::kNone;
};

struct Mode {
  std::string name;
  SegmentRule video;
  SegmentRule action;
  Given first_view_video = Given::kNone;  // replaces video.given in view 0
  std::string job;                        // one line for --help and reports
  double training_share = 0;              // of the samples of a training run, unless it says more
  bool first_pose_optional = false;       // training leaves the first pose out of some samples
};

// i2a, i2va (joint), v2a, a2v, i2v, v1_given.
const std::vector<Mode>& AllModes();

// Throws ConfigError naming the modes there are.
const Mode& FindMode(const std::string& name);

// Throws ConfigError, naming the trained modes, if `name` is not among them and not allowed.
void CheckTrained(const std::string& name, const std::vector<std::string>& trained,
                  bool allow_untrained);

}  // namespace aim
