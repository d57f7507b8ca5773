// aim-generate: one clip from pictures, videos or poses to files.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/recipe/model_options.h"

namespace aim {

struct GenerateClipOptions {
  ModelOptions model;
  std::string mode = "i2va";
  std::vector<std::string> view;
  std::vector<std::string> video;
  std::string cameras;
  std::string prompt;
  std::string first_pose;
  std::string poses;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    ModelOptions::ForEachField(self.model, visit);
    visit("mode", self.mode, Limits{"i2va", "i2a", "v2a", "a2v", "i2v"},
          "i2va: first frames -> video and actions; i2a: first frames -> actions; v2a: videos -> "
          "actions; a2v: first frames and actions -> video; i2v: first frames -> video");
    visit("view", self.view, Any{}, "picture of one view at the first frame; once a view");
    visit("video", self.video, Any{}, "whole video of one view (v2a); once a view");
    visit("cameras", self.cameras, Any{},
          "cameras.json, aim-cameras-1, one camera a view in the order of --view or --video");
    visit("prompt", self.prompt, Any{}, "instruction to the robot");
    visit("first_pose", self.first_pose, Any{},
          "\"x y z qx qy qz qw open\" of the tool at the first frame: metres, world frame, open in "
          "[0, 1] (i2a, i2va; may be left out for v2a)");
    visit("poses", self.poses, Any{}, "poses.csv, one row a frame (a2v)");
  }
  // Every input that the mode needs is there and none that it does not read. Throws ConfigError.
  void Validate() const;
};

struct GenerateReport {
  std::string mode;
  int num_frames = 0;
  std::vector<std::string> files;           // below the run's folder
  std::optional<int64_t> num_decoded;       // if actions were generated
  std::optional<double> median_confidence;  // the same; as MedianConfidence
};
// {"mode", "frames", "files", "decoded", "median_confidence"}
nlohmann::json ToJson(const GenerateReport& report);

// Writes to the run's folder: view<V>.mp4 (generated, or the videos given to v2a),
// view<V>_action.mp4 (lossless: aim-codec decodes it) with view<V>_action_preview.mp4 for people
// (media/preview.h), overlay<V>.mp4 (actions and the tool's axes over the video, or over the first
// frame), poses.csv (decoded, or given; of a given video with its times) and cameras.json (of these
// files). What the mode has none of is not written.
//
// Pictures of another size lose their margins to the model's aspect and are resized; their cameras
// follow. Videos and poses shorter than the model's clip are continued by their last frame while it
// generates. Throws ConfigError, InputError.
GenerateReport RunGenerate(const GenerateClipOptions& options, RunContext& run);

}  // namespace aim
