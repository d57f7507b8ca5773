#include "aim/pipeline/compare.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/name_list.h"
#include "aim/base/text.h"
#include "aim/tensor/device.h"
#include "pipeline/compare_episode.h"
#include "pipeline/episode_pairs.h"

namespace aim {
namespace {

class Comparison {
 public:
  Comparison(const CompareOptions& options, RunContext& run) : options_(options), run_(run) {
    run.AddInput(options.judged.path);
    run.AddInput(options.truth.path);
    networks_ = LoadMetricNetworks(options.measure, ParseDevice(run.device()));
    report_.judged = options.judged.path;
    report_.truth = options.truth.path;
    if (networks_.lpips) report_.lpips = ToWord(options.measure.lpips);
  }

  CompareReport Run() {
    const DataSet judged = options_.judged.Open();
    const std::vector<std::string>& views =
        options_.truth.views.empty() ? options_.judged.views : options_.truth.views;
    const DataSet truth = OpenDataSet(options_.truth.path, options_.truth.layout);
    RequireFitting(judged, options_.edit);
    RequireFitting(truth, {.views = views, .fps = options_.edit.fps},
                   {.views = options_.truth.views.empty() ? "--views" : "--truth-views"});
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
    if (features_.judged.empty()) return;  // each episode has said why
    report_.fvd = DistanceOf(features_, options_.measure.fvd_frames);
    if (report_.fvd) return;
    report_.missing.push_back({"fvd", kOneClip, static_cast<int64_t>(report_.episodes.size()),
                               report_.episodes[0].episode});
  }

  const CompareOptions& options_;
  RunContext& run_;
  MetricNetworks networks_;
  ClipFeatures features_;
  CompareReport report_;
};

}  // namespace

void CompareOptions::Validate() const {
  CheckRanges(*this);
  measure.Validate();
  const size_t num_views = SplitNames(judged.views).size();
  const size_t num_true = SplitNames(truth.views).size();
  if (num_true == 0 || num_views == 0 || num_true == num_views) return;
  throw ConfigError({.where = "--truth-views",
                     .got = "given " + CountText(static_cast<int64_t>(num_true), "name"),
                     .expected = "as many as --views has (" + std::to_string(num_views) +
                                 "): they belong together in order",
                     .fix = ""});
}

CompareReport RunCompare(const CompareOptions& options, RunContext& run) {
  options.Validate();
  return Comparison(options, run).Run();
}

}  // namespace aim
