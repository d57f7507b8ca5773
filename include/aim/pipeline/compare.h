// aim-data compare: what two data sets show and say of the same episodes, in the numbers that
// papers report. docs/reference/method.md 7.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/base/words.h"
#include "aim/data/data_options.h"
#include "aim/data/episode_edit.h"
#include "aim/data/skipped.h"
#include "aim/metrics/score.h"
#include "aim/pipeline/metric_options.h"
#include "aim/pipeline/video_distance.h"

namespace aim {

enum class Pairing { kName, kOrder };
constexpr auto WordsOf(Pairing) {
  return WordTable<Pairing, 2>{{{Pairing::kName, "name"}, {Pairing::kOrder, "order"}}};
}

struct CompareOptions {
  DataOptions judged;
  DataOptions truth;
  MetricOptions measure = {.metrics = {"psnr", "ssim", "lpips", "fvd", "pose"}};
  Pairing pair = Pairing::kName;
  EpisodeEdit edit = {};  // its views are not used

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("judged", self.judged.path, Any{}, InAnyLayout("data set, task, or one episode"));
    visit("truth", self.truth.path, Any{}, "what it is compared with; the same");
    MetricOptions::ForEachField(self.measure, visit, "psnr,ssim,lpips,fvd,pose: all");
    visit("pair", self.pair, Any{},
          "episodes belong together by name, or by their order where names were lost (LeRobot)");
    visit("views", self.judged.views, Any{},
          "names of the views to compare, in this order, also with commas; none: all of them, by "
          "name");
    visit("truth_views", self.truth.views, Any{},
          "what these are called in the truth, in the same order; none: the same");
    visit(
        "width", self.edit.width, Range{0, 8192},
        "of the pictures of both, pixels: the middle is cut to the new aspect and resized; 0 = as "
        "recorded");
    visit("height", self.edit.height, Range{0, 8192}, "see width; 0 = as recorded");
    visit("fps", self.edit.fps, Range{0, 1000},
          "frames a second of both: for each moment the nearest frame; 0 = as recorded");
    visit("layout", self.judged.layout, LayoutChoices(), "auto: found by the files there");
    visit("truth_layout", self.truth.layout, LayoutChoices(), "the same of the truth");
  }
  void Validate() const;  // throws ConfigError
};

struct EpisodeComparison {
  std::string episode;
  int num_frames = 0;
  std::string size;  // as recorded or asked for, of the true pictures: errors in pixels are theirs
  Scores scores;
  Missing missing;
};

// A reason, and of how many episodes it holds.
struct MissingCount {
  std::string metric;
  std::string reason;
  int64_t num_episodes = 0;
  std::string first;  // of them
};

struct CompareReport {
  std::string judged;
  std::string truth;
  std::string lpips;  // the network, if it was asked for
  std::vector<EpisodeComparison> episodes;
  std::map<std::string, ScoreSummary> overall;
  std::optional<VideoDistance> fvd;
  std::vector<MissingCount> missing;
  std::vector<std::string> only_judged;  // episodes without a counterpart
  std::vector<std::string> only_true;
  std::vector<Skipped> skipped;
};

// {"judged", "truth", "lpips_network", "overall": {score: {"n", "episodes", "value", "interval":
// [low, high]}, "fvd": {"value", "clips_judged", "clips_truth", "frames", "note"}},
// "missing": [{"metric", "reason", "episodes", "first"}], "episodes": [{"episode", "frames",
// "size", "scores": {score: {"n", "value"}}, "missing": {metric: reason}}], "only_judged",
// "only_truth", "damaged", "unfit"}. Scores of poses are those of ScorePoses
// (metrics/pose_scores.h); of pictures psnr_db (equal pictures left out), equal_pictures (their
// share), ssim, lpips. What could not be measured has no key among the scores and a line among what
// is missing.
nlohmann::json ToJson(const CompareReport& report);

// As a Markdown table, a line a score, and what is missing below.
std::string CompareTable(const CompareReport& report);

// Pairs episodes by name (two data sets of one episode each are a pair whatever they are called)
// and their frames by number, and measures one pair after the other, a few frames in memory at a
// time. Frame 0 counts for FVD alone: a model is given it. Writes the report as JSON to run.out()
// if that is given. A pair that is damaged, or whose views, sizes, rates or lengths differ, is left
// out and named. Throws InputError if no episode has a counterpart, none could be compared, or
// weights are missing; ConfigError.
CompareReport RunCompare(const CompareOptions& options, RunContext& run);

}  // namespace aim
