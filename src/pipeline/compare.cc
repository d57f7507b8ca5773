#include "aim/pipeline/compare.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/name_list.h"
#include "aim/base/text.h"
#include "aim/metrics/frechet.h"
#include "aim/tensor/device.h"
#include "pipeline/compare_episode.h"
#include "pipeline/episode_pairs.h"

namespace aim {
namespace {

// A vector a row.
Eigen::MatrixXd Rows(const std::vector<Eigen::VectorXd>& vectors) {
  Eigen::MatrixXd rows(static_cast<Eigen::Index>(vectors.size()), kI3dFeatures);
  for (size_t i = 0; i < vectors.size(); ++i) {
    rows.row(static_cast<Eigen::Index>(i)) = vectors[i].transpose();
  }
  return rows;
}

class Comparison {
 public:
  Comparison(const CompareOptions& options, RunContext& run) : options_(options), run_(run) {
    run.AddInput(options.judged.path);
    run.AddInput(options.truth.path);
    const std::set<Metric> metrics = options.Metrics();
    networks_.device = ParseDevice(run.device());
    if (metrics.contains(Metric::kLpips)) {
      networks_.lpips = Lpips::Load(options.lpips, options.weights, networks_.device);
    }
    if (metrics.contains(Metric::kFvd)) {
      networks_.i3d = I3d::Load(options.weights, networks_.device);
    }
    report_.judged = options.judged.path;
    report_.truth = options.truth.path;
    if (networks_.lpips) report_.lpips = ToWord(options.lpips);
  }

  CompareReport Run() {
    const DataSet judged = options_.judged.Open();
    const std::vector<std::string>& views =
        options_.truth.views.empty() ? options_.judged.views : options_.truth.views;
    const DataSet truth = OpenDataSet(options_.truth.path, options_.truth.layout);
    RequireFitting(judged, options_.edit);
    RequireFitting(truth, {.views = views, .fps = options_.edit.fps},
                   options_.truth.views.empty() ? "--views" : "--truth-views");
    EpisodePairs pairs = PairEpisodes(judged, truth, options_.pair);
    if (!run_.out().empty()) run_.PrepareOutFile();
    const at::InferenceMode guard;
    run_.progress().Start("compare", static_cast<int64_t>(pairs.pairs.size()));
    for (const auto& pair : pairs.pairs) {
      const std::string& name = pair.first->name;
      TryOrSkip(name, report_.skipped, [&] {
        const std::unique_ptr<OpenEpisode> episode = judged.Open(*pair.first);
        const std::unique_ptr<OpenEpisode> counterpart = truth.WithViews(views).Open(*pair.second);
        EpisodeComparison comparison =
            CompareEpisode(options_, networks_, *episode, *counterpart, features_);
        comparison.episode = name;
        report_.episodes.push_back(std::move(comparison));
      });
      run_.progress().Advance(1, name);
    }
    run_.progress().Finish();
    RequireOneRead(options_.judged.path, pairs.pairs.size(), report_.skipped);
    report_.only_judged = std::move(pairs.only_first);
    report_.only_true = std::move(pairs.only_second);
    Summarize();
    if (!run_.out().empty()) WriteFileAtomic(run_.out(), DumpJson(ToJson(report_), 1) + "\n");
    return std::move(report_);
  }

 private:
  void Summarize() {
    std::vector<Scores> scores;
    for (const EpisodeComparison& episode : report_.episodes) scores.push_back(episode.scores);
    const Rng rng = Rng(run_.seed()).Derive(0, "intervals");
    report_.overall = SummarizeScores(scores, rng);
    std::map<std::pair<std::string, std::string>, MissingCount> missing;
    for (const EpisodeComparison& episode : report_.episodes) {
      for (const auto& [metric, reason] : episode.missing) {
        MissingCount& count = missing[{metric, reason}];
        if (count.num_episodes++ == 0) count = {metric, reason, 1, episode.episode};
      }
    }
    for (auto& [key, count] : missing) report_.missing.push_back(std::move(count));
    if (networks_.i3d) SummarizeFvd();
  }

  void SummarizeFvd() {
    const auto num_judged = static_cast<int64_t>(features_.judged.size());
    if (num_judged == 0) return;  // each episode has said why
    if (num_judged == 1) {
      report_.missing.push_back({"fvd", "one clip in all",
                                 static_cast<int64_t>(report_.episodes.size()),
                                 report_.episodes[0].episode});
      return;
    }
    report_.fvd = {.distance = FrechetDistance(Rows(features_.judged), Rows(features_.truth)),
                   .num_judged = num_judged,
                   .num_true = static_cast<int64_t>(features_.truth.size()),
                   .num_frames = options_.fvd_frames};
  }

  const CompareOptions& options_;
  RunContext& run_;
  MetricNetworks networks_;
  ClipFeatures features_;
  CompareReport report_;
};

}  // namespace

std::set<Metric> CompareOptions::Metrics() const {
  std::set<Metric> chosen;
  for (const std::string& name : SplitNames(metrics)) {
    chosen.insert(FromWord<Metric>(name, "--metrics"));
  }
  return chosen;
}

void CompareOptions::Validate() const {
  CheckRanges(*this);
  if (Metrics().empty()) {
    throw ConfigError({.where = "--metrics",
                       .got = "empty",
                       .expected = "one or more of " + Join(AllWords<Metric>()),
                       .fix = ""});
  }
  const size_t num_views = SplitNames(judged.views).size();
  const size_t num_true = SplitNames(truth.views).size();
  if (num_true == 0 || num_views == 0 || num_true == num_views) return;
  throw ConfigError({.where = "--truth-views",
                     .got = CountText(static_cast<int64_t>(num_true), "name"),
                     .expected = "as many as --views has (" + std::to_string(num_views) +
                                 "): they belong together in order",
                     .fix = ""});
}

CompareReport RunCompare(const CompareOptions& options, RunContext& run) {
  options.Validate();
  return Comparison(options, run).Run();
}

}  // namespace aim
