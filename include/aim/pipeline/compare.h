// aim-data compare: what two data sets show and say of the same episodes, in the numbers that
// papers report. docs/reference/method.md 7.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/base/words.h"
#include "aim/data/data_options.h"
#include "aim/data/episode_edit.h"
#include "aim/data/skipped.h"
#include "aim/metrics/score.h"
#include "aim/pipeline/i3d.h"
#include "aim/pipeline/lpips.h"
#include "aim/pipeline/metric_weights.h"

namespace aim {

enum class Metric { kPsnr, kSsim, kLpips, kFvd, kPose };
constexpr auto WordsOf(Metric) {
  return WordTable<Metric, 5>{{{Metric::kPsnr, "psnr"},
                               {Metric::kSsim, "ssim"},
                               {Metric::kLpips, "lpips"},
                               {Metric::kFvd, "fvd"},
                               {Metric::kPose, "pose"}}};
}

enum class Pairing { kName, kOrder };
constexpr auto WordsOf(Pairing) {
  return WordTable<Pairing, 2>{{{Pairing::kName, "name"}, {Pairing::kOrder, "order"}}};
}

struct CompareOptions {
  DataOptions judged;
  DataOptions truth;
  std::vector<std::string> metrics = {"psnr", "ssim", "lpips", "fvd", "pose"};
  Pairing pair = Pairing::kName;
  EpisodeEdit edit = {};  // its views are not used
  LpipsNetwork lpips = LpipsNetwork::kAlexnet;
  int fvd_frames = 16;
  std::string weights = kMetricWeightsFolder;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("judged", self.judged.path, Any{}, InAnyLayout("data set, task, or one episode"));
    visit("truth", self.truth.path, Any{}, "what it is compared with; the same");
    visit("metrics", self.metrics, Any{},
          "what to measure, repeatable or with commas; default psnr,ssim,lpips,fvd,pose: all");
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
    visit("lpips", self.lpips, Any{}, "network behind LPIPS; numbers of different ones differ");
    visit("fvd_frames", self.fvd_frames, Range{kI3dMinFrames, 256},
          "frames of a clip of FVD, one after another");
    visit("weights", self.weights, Any{}, "folder that scripts/setup --metrics filled");
  }
  void Validate() const;  // throws ConfigError
  std::set<Metric> Metrics() const;
};

// What was not measured of an episode, and why.
using Missing = std::map<std::string, std::string>;

struct EpisodeComparison {
  std::string episode;
  int num_frames = 0;
  std::string size;  // as recorded or asked for, of the true pictures: errors in pixels are theirs
  Scores scores;
  Missing missing;
};

// Of the sets, not of episodes: clips of all views together.
struct VideoDistance {
  double distance = 0;
  int64_t num_judged = 0;  // clips
  int64_t num_true = 0;
  int num_frames = 0;  // of a clip
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
