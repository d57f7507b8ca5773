#include "aim/gallery/gallery.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/out_place.h"
#include "aim/base/text.h"
#include "aim/data/set_statistics.h"
#include "aim/media/filmstrip.h"
#include "aim/report/histogram.h"
#include "aim/report/numbers.h"
#include "aim/report/template.h"
#include "gallery/episode_card.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr const char* kPageName = "index.html";
constexpr int kTipSamples = 32;  // of an episode, for the histograms
constexpr size_t kShownPrompts = 20;
constexpr size_t kMostPrompts = 10000;  // that are told apart

// What histograms are made of.
struct GallerySamples {
  std::vector<double> duration_s = {};
  std::vector<double> path_m = {};
  std::array<std::vector<double>, 3> tip_m = {};
  std::map<std::string, int64_t> prompts = {};
};

void AddSamples(const OpenEpisode& episode, GallerySamples& samples) {
  const Clip& clip = episode.facts().clip;
  samples.duration_s.push_back(episode.num_frames() / clip.fps);
  if (samples.prompts.size() < kMostPrompts || samples.prompts.contains(clip.prompt)) {
    ++samples.prompts[clip.prompt];
  }
  if (clip.poses.size() < 2) return;
  samples.path_m.push_back(TipPathLength(clip));
  for (const int frame : SpreadFrames(static_cast<int>(clip.poses.size()), kTipSamples)) {
    const Eigen::Vector3d& tip = clip.poses[static_cast<size_t>(frame)].world_from_tool.translation;
    for (size_t axis = 0; axis < 3; ++axis) {
      samples.tip_m[axis].push_back(tip[static_cast<Eigen::Index>(axis)]);
    }
  }
}

json Fact(const std::string& value, const std::string& name) {
  return {{"value", value}, {"name", name}};
}

// "64x64", or "64x64 (3), 128x128 (1)" of episodes that differ.
json CountsFact(const std::map<std::string, int64_t>& counts, int64_t num_episodes,
                const std::string& name) {
  std::vector<std::string> texts;
  texts.reserve(counts.size());
  for (const auto& [key, count] : counts) {
    texts.push_back(key + (count == num_episodes ? "" : " (" + std::to_string(count) + ")"));
  }
  return Fact(Join(texts, ", "), name + (counts.size() > 1 ? " (of so many episodes)" : ""));
}

json FactsOfSet(const SetStatistics& statistics) {
  const int64_t count = statistics.num_episodes;
  std::map<std::string, int64_t> views;
  for (const auto& [number, have] : statistics.views) views[std::to_string(number)] = have;
  json facts = {Fact(std::to_string(count), "episodes"),
                Fact(std::to_string(statistics.num_frames), "frames a view"),
                CountsFact(views, count, "views"), CountsFact(statistics.sizes, count, "pixels"),
                CountsFact(statistics.rates, count, "frames a second")};
  const size_t num_tasks = statistics.tasks.size();
  if (num_tasks > 1) facts.push_back(Fact(std::to_string(num_tasks), "tasks"));
  return facts;
}

json Missing(const SetStatistics& statistics) {
  json missing = json::array();
  const auto add = [&](int64_t count, const std::string& what) {
    if (count == 0) return;
    missing.push_back({{"sentence", (count == statistics.num_episodes
                                         ? "All"
                                         : std::to_string(count) + " of " +
                                               std::to_string(statistics.num_episodes)) +
                                        " episodes are without " + what + "."}});
  };
  const int64_t num_without =
      statistics.num_episodes - statistics.poses.num_episodes - statistics.num_first_pose;
  add(num_without, "poses");
  add(statistics.num_first_pose, "poses after the first frame's");
  add(statistics.num_episodes - statistics.num_calibrated, "calibration of every view");
  return missing;
}

json Range(const std::string& name, const Extent& extent, const std::string& unit) {
  const std::string value =
      extent.empty() ? std::string(kNotMeasured)
                     : NumberText(extent.min, 2) + " to " + NumberText(extent.max, 2) + " " + unit;
  return {{"name", name}, {"value", value}};
}

json Ranges(const SetStatistics& statistics) {
  const PoseSummary& poses = statistics.poses;
  json ranges = {Range("length of an episode", statistics.duration_s, "s")};
  for (const auto& [name, task] : statistics.tasks) {
    if (name.empty()) continue;
    ranges.push_back(
        {{"name", WordsText(name)},
         {"value", CountText(task.num_episodes, "episode") + ", " +
                       CountText(static_cast<int64_t>(task.variations.size()), "variation")}});
  }
  if (poses.num_episodes == 0) return ranges;
  ranges.push_back(Range("tip, x", poses.tip_m[0], "m"));
  ranges.push_back(Range("tip, y", poses.tip_m[1], "m"));
  ranges.push_back(Range("tip, z", poses.tip_m[2], "m"));
  ranges.push_back(Range("path of the tip", poses.path_m, "m"));
  ranges.push_back({{"name", "gripper open"},
                    {"value", PercentText(poses.open_sum / static_cast<double>(poses.num_poses)) +
                                  " % on average over the " + CountText(poses.num_poses, "frame") +
                                  " with poses; it opens or closes " +
                                  NumberText(static_cast<double>(poses.num_gripper_changes) /
                                                 static_cast<double>(poses.num_episodes),
                                             1) +
                                  " times an episode"}});
  for (const auto& [name, view] : statistics.sight) {
    ranges.push_back({{"name", "tool seen in " + name},
                      {"value", PercentText(view.num_seen / static_cast<double>(view.num_frames)) +
                                    " % of its " + CountText(view.num_frames, "frame") +
                                    " with poses and calibration"}});
  }
  return ranges;
}

std::string HistogramsHtml(const GallerySamples& samples) {
  std::string html = HistogramHtml(samples.duration_s, "episodes by length", "seconds");
  if (samples.path_m.empty()) return html;
  html += HistogramHtml(samples.path_m, "episodes by the path of the tip", "metres");
  const std::string title = "sampled frames by where the tip is, ";
  for (const auto& [axis, name] : {std::pair(0, "x"), std::pair(1, "y"), std::pair(2, "z")}) {
    html += HistogramHtml(samples.tip_m[static_cast<size_t>(axis)], title + name, "metres");
  }
  return html;
}

// The most frequent first.
json Prompts(const GallerySamples& samples) {
  std::vector<std::pair<int64_t, std::string>> prompts;
  for (const auto& [prompt, count] : samples.prompts) prompts.emplace_back(-count, prompt);
  std::sort(prompts.begin(), prompts.end());
  json list = json::array();
  for (size_t i = 0; i < std::min(prompts.size(), kShownPrompts); ++i) {
    const std::string& prompt = prompts[i].second;
    list.push_back({{"count", CountText(-prompts[i].first, "episode")},
                    {"prompt", prompt.empty() ? "(no prompt)" : prompt}});
  }
  return list;
}

std::string PromptsNote(size_t num_prompts) {
  if (num_prompts <= kShownPrompts) return "";
  return "The " + std::to_string(kShownPrompts) + " most frequent of " +
         (num_prompts == kMostPrompts ? "at least " : "") + std::to_string(num_prompts) + ".";
}

std::string ShownText(int64_t num_shown, int64_t num_episodes) {
  if (num_shown == num_episodes) return "All of them.";
  return "The first " + std::to_string(num_shown) + " of " + std::to_string(num_episodes) +
         "; the pictures of the others were not looked at.";
}

class Gallery {
 public:
  Gallery(const GalleryOptions& options, RunContext& run)
      : options_(options), run_(run), data_(options.data.Open()) {}

  GalleryReport Run() {
    RefuseOutInside(run_.out(), data_.root());
    run_.PrepareOutFolder(OutUse::kNew);
    const std::vector<EpisodeRef>& refs = data_.episodes();
    run_.progress().Start("view", static_cast<int64_t>(refs.size()));
    for (const EpisodeRef& ref : refs) {
      TryOrSkip(ref.name, report_.skipped, [&] { Look(ref); });
      run_.progress().Advance(1);
    }
    run_.progress().Finish();
    RequireOneRead(options_.data.path, refs.size(), report_.skipped);
    report_.page = kPageName;
    report_.num_episodes = statistics_.num_episodes;
    report_.num_shown = static_cast<int64_t>(cards_.size());
    const std::string page = Page();
    report_.size_bytes = static_cast<int64_t>(page.size());
    WriteFileAtomic(run_.out() / kPageName, page);
    run_.CommitOut();
    return report_;
  }

 private:
  void Look(const EpisodeRef& ref) {
    const std::unique_ptr<OpenEpisode> episode = data_.OpenAsIs(ref);
    const bool is_shown = cards_.size() < static_cast<size_t>(options_.episodes) &&
                          size_bytes_ < static_cast<size_t>(options_.page_mib) << 20;
    if (is_shown) {
      json card = EpisodeCard(ref.name, *episode);
      size_bytes_ += DumpJson(card).size();
      cards_.push_back(std::move(card));
    }
    Add(*episode, statistics_);
    AddSamples(*episode, samples_);
  }

  std::string Page() const {
    const json missing = Missing(statistics_);
    return RenderTemplate("data", {{"title", "Data set " + data_.root().filename().string()},
                                   {"reload_s", nullptr},
                                   {"path", data_.root().string()},
                                   {"layout", std::string(data_.layout().Name())},
                                   {"facts", FactsOfSet(statistics_)},
                                   {"has_missing", !missing.empty()},
                                   {"missing", missing},
                                   {"has_skipped", !report_.skipped.empty()},
                                   {"skipped", ToJson(report_.skipped)},
                                   {"histograms_html", HistogramsHtml(samples_)},
                                   {"ranges", Ranges(statistics_)},
                                   {"prompts", Prompts(samples_)},
                                   {"prompts_note", PromptsNote(samples_.prompts.size())},
                                   {"shown", ShownText(report_.num_shown, report_.num_episodes)},
                                   {"cards", cards_}});
  }

  GalleryOptions options_;
  RunContext& run_;
  DataSet data_;
  SetStatistics statistics_;
  GallerySamples samples_;
  json cards_ = json::array();
  size_t size_bytes_ = 0;  // of the cards
  GalleryReport report_;
};

}  // namespace

void GalleryOptions::Validate() const { CheckRanges(*this); }

json ToJson(const GalleryReport& report) {
  json object = {{"page", report.page},
                 {"episodes", report.num_episodes},
                 {"shown", report.num_shown},
                 {"bytes", report.size_bytes}};
  AddSkipped(report.skipped, object);
  return object;
}

GalleryReport RunGallery(const GalleryOptions& options, RunContext& run) {
  options.Validate();
  return Gallery(options, run).Run();
}

}  // namespace aim
