// aim-model drift: the same generation under two settings, compared where it matters.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/recipe/model_options.h"

namespace aim {

struct DriftOptions {
  ModelOptions model;
  std::string data;
  int episodes = 8;
  std::string mode = "i2a";
  std::vector<std::string> against;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    ModelOptions::ForEachField(self.model, visit);
    visit("data", self.data, Any{}, "episodes with recorded poses");
    visit("episodes", self.episodes, Range{1, 1e6},
          "episodes generated, evenly spread over the data; the start of each");
    visit("mode", self.mode, Any{}, "mode to generate in; one that makes actions");
    visit("against", self.against, Any{},
          "setting that the second run changes (repeatable), for example dtype=bf16");
  }
  void Validate() const;  // throws ConfigError
};

// Generates every clip twice from the same noise: as `model` says, and with the settings of
// `against` changed. Returns {"model", "mode", "clips", "frames", "settings": [a, b],
// "position_mm", "rotation_deg" (each "median", "p90", "max": between the poses of the two runs,
// frame 0 apart), "gripper_differs", "decodable_differs" (shares of frames), "seconds_per_clip":
// [a, b]}, and writes it to run.out() (a file) if one is given. The two models are not in memory
// together. Throws InputError, ConfigError.
nlohmann::json RunDrift(const DriftOptions& options, RunContext& run);

}  // namespace aim
