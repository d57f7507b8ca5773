// aim-model drift: the same generation under two settings, compared where it matters.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/data/data_options.h"
#include "aim/data/skipped.h"
#include "aim/recipe/model_options.h"

namespace aim {

struct DriftOptions {
  ModelOptions model;
  DataOptions data;
  int episodes = 8;
  std::string mode = "i2a";
  std::vector<std::string> against;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    ModelOptions::ForEachField(self.model, visit);
    DataOptions::ForEachField(self.data, visit, "episodes with recorded poses");
    visit("episodes", self.episodes, Range{1, 1e6},
          "episodes generated, evenly spread over the data; the start of each");
    visit("mode", self.mode, Any{}, "mode to generate in; one that makes actions");
    visit("against", self.against, Any{},
          "setting that the second run changes (repeatable), for example dtype=bf16");
  }
  void Validate() const;  // throws ConfigError
};

// How far apart the poses of two runs are.
struct DriftReport {
  struct Spread {
    double median = 0;
    double p90 = 0;
    double max = 0;
  };
  std::string model;
  std::string mode;
  int64_t num_clips = 0;
  int64_t num_frames = 0;              // frame 0 apart
  std::optional<Spread> position_mm;   // absent if no frame was decoded in both
  std::optional<Spread> rotation_deg;  // the same
  // Between the latents that both runs generated, all of a clip as one vector: median and least.
  double latent_cosine_median = 1;
  double latent_cosine_min = 1;
  double gripper_differs = 0;  // shares of frames
  double decodable_differs = 0;
  std::array<ModelOptions, 2> settings;
  std::array<double, 2> seconds_per_clip = {0, 0};
  std::vector<Skipped> skipped;
};
// {"model", "mode", "clips", "frames", "settings": [a, b], "position_mm", "rotation_deg" (each
// "median", "p90", "max"), "latent_cosine" ("median", "min"), "gripper_differs",
// "decodable_differs", "seconds_per_clip": [a, b], "damaged", "unfit"}
nlohmann::json ToJson(const DriftReport& report);

// Generates every clip twice from the same noise: as `model` says, and with the settings of
// `against` changed; writes the report to run.out() (a file) if one is given. The two models are
// not in memory together. Throws InputError, ConfigError.
DriftReport RunDrift(const DriftOptions& options, RunContext& run);

}  // namespace aim
