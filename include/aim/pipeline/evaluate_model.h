// aim-model evaluate: all modes of a model on recorded episodes, with intervals.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/data/data_options.h"
#include "aim/data/skipped.h"
#include "aim/metrics/clip_quality.h"
#include "aim/metrics/score.h"
#include "aim/pipeline/metric_options.h"
#include "aim/pipeline/video_distance.h"
#include "aim/recipe/model_options.h"

namespace aim {

struct EvaluateModelOptions {
  ModelOptions model;
  DataOptions data;
  int episodes = 50;
  std::vector<std::string> mode;
  MetricOptions measure = {.metrics = {"psnr", "pose"}};

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    ModelOptions::ForEachField(self.model, visit);
    DataOptions::ForEachField(self.data, visit,
                              "episodes that were not trained on, with all poses recorded");
    visit("episodes", self.episodes, Range{1, 1e6},
          "episodes measured, evenly spread over the data; the start of each");
    visit("mode", self.mode, Any{},
          "mode to measure, repeatable or with commas; none = all that were trained");
    MetricOptions::ForEachField(self.measure, visit, "psnr,pose");
  }
  void Validate() const;  // throws ConfigError
};

// Of some clips together.
struct MeasuredQuality {
  QualitySummary summary;                        // of what was asked for
  std::map<std::string, ScoreSummary> pictures;  // ssim, lpips
};

// What ToJson of a QualitySummary gives, with the scores of pictures among it.
nlohmann::json ToJson(const MeasuredQuality& quality);

// One mode, or a floor.
struct ModeReport {
  MeasuredQuality quality;                       // with intervals
  double seconds_per_clip = 0;                   // without what measuring took
  std::map<std::string, MeasuredQuality> tasks;  // if there are several
  std::optional<VideoDistance> fvd;
};

struct EvaluationReport {
  std::string model;
  std::string fingerprint;  // of the network's weights
  std::string data;
  int steps = 0;
  double guidance = 1;
  std::string lpips;  // the network, if it was asked for
  std::map<std::string, ModeReport> modes;
  Missing missing;  // of videos
  std::vector<Skipped> skipped;
};
// {"model", "fingerprint", "data", "steps", "guidance", "lpips_network", "modes": {name: what
// ToJson of a QualitySummary gives, with "ssim" and "lpips", "seconds_per_clip", "fvd": {"value",
// "clips_judged", "clips_truth", "frames", "note"}, "tasks": {task: the same}}, "missing": {metric:
// reason}, "damaged", "unfit"}
nlohmann::json ToJson(const EvaluationReport& report);

// Measures and writes the report as JSON to run.out() (a file) if one is given. Modes that make
// nothing of what --metrics asks for are left out, or refused where they were named. Beside the
// modes stand "v2a_no_first_pose" and two floors that no training can go below: "codec_floor"
// (action images of the true poses, decoded) and "autoencoder_floor" (the same, and the videos,
// through the autoencoder). SSIM and LPIPS are of 8-bit pictures without the given first, FVD is
// over clips of all views, as in aim-data compare. A bootstrap draw resamples episodes. Throws
// InputError, ConfigError.
EvaluationReport RunEvaluateModel(const EvaluateModelOptions& options, RunContext& run);

// The report as a Markdown table, a line a mode.
std::string EvaluationTable(const EvaluationReport& report);

}  // namespace aim
