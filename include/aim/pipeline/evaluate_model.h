// aim-model evaluate: all modes of a model on recorded episodes, with intervals.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/data/data_options.h"
#include "aim/data/skipped.h"
#include "aim/metrics/clip_quality.h"
#include "aim/recipe/model_options.h"

namespace aim {

struct EvaluateModelOptions {
  ModelOptions model;
  DataOptions data;
  int episodes = 50;
  std::vector<std::string> mode;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    ModelOptions::ForEachField(self.model, visit);
    DataOptions::ForEachField(self.data, visit,
                              "episodes that were not trained on, with all poses recorded");
    visit("episodes", self.episodes, Range{1, 1e6},
          "episodes measured, evenly spread over the data; the start of each");
    visit("mode", self.mode, Any{}, "mode to measure (repeatable); none = all that were trained");
  }
  void Validate() const;  // throws ConfigError
};

// One mode, or a floor.
struct ModeReport {
  QualitySummary quality;  // with intervals
  double seconds_per_clip = 0;
  std::map<std::string, QualitySummary> tasks;  // if there are several
};

struct EvaluationReport {
  std::string model;
  std::string fingerprint;  // of the network's weights
  std::string data;
  int steps = 0;
  double guidance = 1;
  std::map<std::string, ModeReport> modes;
  std::vector<Skipped> skipped;
};
// {"model", "fingerprint", "data", "steps", "guidance", "modes": {name: what ToJson of a
// QualitySummary gives, "seconds_per_clip", "tasks": {task: the same}}, "damaged", "unfit"}
nlohmann::json ToJson(const EvaluationReport& report);

// Measures and writes the report as JSON to run.out() (a file) if one is given. Beside the
// modes stand "v2a_no_first_pose" and two floors that no training can go below: "codec_floor"
// (action images of the true poses, decoded) and "autoencoder_floor" (the same, and the videos,
// through the autoencoder). A bootstrap draw resamples episodes. Throws InputError, ConfigError.
EvaluationReport RunEvaluateModel(const EvaluateModelOptions& options, RunContext& run);

// The report as a Markdown table, a line a mode.
std::string EvaluationTable(const EvaluationReport& report);

}  // namespace aim
