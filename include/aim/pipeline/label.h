// aim-label: metric poses with confidence for robot videos that have no actions.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/data/data_options.h"
#include "aim/data/skipped.h"
#include "aim/metrics/clip_quality.h"
#include "aim/recipe/model_options.h"

namespace aim {

// The pose at frame 0 that the model is given: the recorded one where there is one, or none.
enum class FirstPose { kData, kNone };
constexpr auto WordsOf(FirstPose) {
  using enum FirstPose;
  return WordTable<FirstPose, 2>{{{kData, "data"}, {kNone, "none"}}};
}

// "labels" and the layouts that can be written.
Limits LabelLayouts();

struct LabelOptions {
  ModelOptions model;
  DataOptions data;
  double min_confidence = 0.2;
  FirstPose first_pose = FirstPose::kData;
  int overlap = 0;
  std::string to = "labels";
  std::string shard;
  bool overlay = false;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    ModelOptions::ForEachField(self.model, visit);
    DataOptions::ForEachField(self.data, visit, "videos to label");
    visit("min_confidence", self.min_confidence, Range{0, 1},
          "poses below it are interpolated between confident neighbours; their confidence stays");
    visit("first_pose", self.first_pose, Any{},
          "data: the recorded pose at frame 0 is given to the model where there is one");
    visit("overlap", self.overlap, Range{0, 4096},
          "frames that neighbouring windows of a long video share; 0 = half a window");
    visit(
        "to", self.to, LabelLayouts(),
        "labels: poses beside the videos where they lie; else also a data set of its own with the "
        "videos, <out>/<layout>, in this layout");
    visit("shard", self.shard, Any{},
          "i/n: label only episodes i, i + n, ... (i from 0), as one of n processes");
    visit("overlay", self.overlay, Any{},
          "also videos with the labelled tool drawn in, and report.html with a strip a clip");
  }
  void Validate() const;  // throws ConfigError
};

struct LabelReport {
  std::string model;
  std::string data;
  FirstPose first_pose = FirstPose::kData;
  int64_t num_episodes = 0;
  int64_t num_resumed = 0;  // of them labelled by an earlier start
  int64_t num_frames = 0;
  int64_t num_decoded = 0;
  int64_t num_low = 0;                   // below min_confidence, or not decodable
  double median_confidence = 0;          // over all frames, as MedianConfidence
  std::optional<QualitySummary> errors;  // where all poses are recorded
  std::vector<Skipped> skipped;
};
// {"model", "data", "first_pose", "episodes", "resumed", "frames", "decoded", "low_confidence",
// "median_confidence", "damaged", "unfit", "errors"}
nlohmann::json ToJson(const LabelReport& report);

// Labels every episode of `data`. A video longer than the model's clip is cut into overlapping
// windows, each labelled by itself; where they overlap, positions, rotations and openness are
// averaged with weights confidence times closeness to the window's middle, and their confidence
// falls by 1 / (1 + spread / 10 mm). A video with a multiple of the model's frame rate is labelled
// at every n-th frame, the ones between are interpolated.
//
// Writes <out>/<episode>/poses.csv (one row a video frame, with confidence) and label.json; whole
// or absent, so that --resume goes on; the output is itself a data set (data/labels.h). report.json
// (report-i-of-n.json for a shard) has counts, the damaged episodes by name, and, where all poses
// are recorded, errors against them with 95 % intervals.
//
// With `overlay` each episode also gets overlay<V>.mp4, a video a view with the tool drawn in, and
// strip.jpg; report.html (report-i-of-n.html) shows them with confidence over time, what was filled
// in and what was left out.
//
// A video is read a window at a time: memory does not grow with its length.
//
// With `to` another layout, the labelled episodes are also written as a data set of their own:
// poses, confidence and videos, <out>/lerobot or the like; whole or absent, and anew at every
// start. There an episode is held as a whole; one of more than 8 GiB of pixels is left out and
// named.
//
// Damaged episodes are left out. Throws InputError if no episode can be read, ConfigError for
// options that do not fit the model or an earlier run to go on with.
LabelReport RunLabel(const LabelOptions& options, RunContext& run);

}  // namespace aim
