#include "aim/data/validate.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/parallel.h"
#include "aim/base/shard.h"
#include "aim/base/text.h"
#include "aim/data/data_set.h"
#include "aim/geometry/value_error.h"
#include "data/content.h"
#include "data/episode_checks.h"
#include "data/set_shape.h"

namespace aim {
namespace {

// An episode, and what was seen of it.
struct Look {
  const DataSet* data;
  const EpisodeRef* ref;
  std::vector<Finding> findings = {};
  std::string shape = {};    // in words; empty where it cannot be read
  std::string content = {};  // of all pictures; empty where some cannot be decoded
  int num_frames = 0;

  void Add(FindingKind kind, Severity severity, std::string problem) {
    findings.push_back({.data = {},
                        .episode = {},
                        .kind = kind,
                        .severity = severity,
                        .problem = std::move(problem)});
  }
  std::string Name() const { return data->root().string() + ": " + ref->name; }
};

std::string ShapeInWords(OpenEpisode& episode) {
  const Clip& clip = episode.facts().clip;
  const char* poses = clip.poses.size() > 1 ? "poses"
                      : clip.poses.empty()  ? "no poses"
                                            : "one pose";
  return ToWords(ShapeOf(episode)) + ", " + poses + (IsCalibrated(clip) ? "" : ", no calibration");
}

// Every view by itself: damage in one hides nothing of the others.
void LookAtPictures(OpenEpisode& episode, Look& look) {
  const size_t num_views = episode.facts().clip.views.size();
  PictureHash hash(num_views);
  bool is_whole = true;
  for (size_t v = 0; v < num_views; ++v) {
    StillPictures still(episode.facts(), v);
    try {
      episode.VisitPictures(v, [&](int frame, std::span<const uint8_t> rgb) {
        hash.Add(v, rgb);
        still.Add(frame, rgb);
      });
    } catch (const InputError& error) {
      look.Add(FindingKind::kDamagedPictures, Severity::kError, error.what());
      is_whole = false;
      continue;
    }
    for (Finding& finding : still.Findings()) look.findings.push_back(std::move(finding));
  }
  if (is_whole) look.content = hash.Text();
}

void LookAt(Look& look) {
  const auto add = [&look](FindingKind kind, const InputError& error) {
    look.Add(kind, Severity::kError, error.what());
  };
  try {
    const std::unique_ptr<OpenEpisode> episode = look.data->OpenAsIs(*look.ref);
    look.num_frames = episode->num_frames();
    look.shape = ShapeInWords(*episode);
    look.findings = CheckFacts(episode->facts(), episode->num_frames());
    LookAtPictures(*episode, look);
  } catch (const PoseError& error) {
    add(FindingKind::kBadPose, error);
  } catch (const PoseCountError& error) {
    add(FindingKind::kPoseCount, error);
  } catch (const CameraError& error) {
    add(FindingKind::kBadCamera, error);
  } catch (const InputError& error) {
    add(FindingKind::kUnreadable, error);
  }
}

// One name for two episodes: of one set an error, of several said once a pair of sets.
void CompareNames(std::vector<Look>& looks) {
  std::map<std::string, const Look*> by_name;
  std::map<std::pair<const DataSet*, const DataSet*>, std::pair<Look*, int64_t>> pairs;
  for (Look& look : looks) {
    const auto [found, is_new] = by_name.emplace(look.ref->name, &look);
    if (is_new) continue;
    const DataSet* other = found->second->data;
    if (other == look.data) {
      look.Add(FindingKind::kSameName, Severity::kError,
               "another episode of the data set has the same name");
    } else {
      ++pairs.emplace(std::pair(other, look.data), std::pair(&look, 0)).first->second.second;
    }
  }
  for (const auto& [sets, first] : pairs) {
    first.first->Add(
        FindingKind::kSameName, Severity::kWarning,
        (first.second == 1
             ? "an episode of "
             : std::to_string(first.second) + " episodes from here on are called like those of ") +
            sets.first->root().string() + (first.second == 1 ? " has the same name" : "") +
            "; aim-data merge gives them others");
  }
}

// The shape of most is the rule; each other one is said once, at its first episode.
void CompareShapes(std::vector<Look>& looks) {
  std::map<std::string, std::pair<Look*, int64_t>> shapes;
  for (Look& look : looks) {
    if (!look.shape.empty()) ++shapes.emplace(look.shape, std::pair(&look, 0)).first->second.second;
  }
  if (shapes.size() < 2) return;
  const auto most = std::max_element(
      shapes.begin(), shapes.end(),
      [](const auto& a, const auto& b) { return a.second.second < b.second.second; });
  for (const auto& [shape, first] : shapes) {
    if (shape == most->first) continue;
    const int64_t count = first.second;
    first.first->Add(FindingKind::kOtherShape, Severity::kWarning,
                     (count == 1 ? "this episode alone has "
                                 : "this and " + CountText(count - 1, "other episode") + " have ") +
                         shape + "; expected what the most have, " +
                         std::to_string(most->second.second) + ": " + most->first);
  }
}

void CompareContents(std::vector<Look>& looks) {
  std::map<std::string, const Look*> by_content;
  for (Look& look : looks) {
    if (look.content.empty()) continue;
    const auto [found, is_new] = by_content.emplace(look.content, &look);
    if (is_new) continue;
    const Look& other = *found->second;
    const bool is_copy = SayTheSame(other.data->OpenAsIs(*other.ref)->facts().clip,
                                    look.data->OpenAsIs(*look.ref)->facts().clip);
    look.Add(is_copy ? FindingKind::kCopy : FindingKind::kSamePictures, Severity::kWarning,
             is_copy
                 ? "is a copy of " + other.Name()
                 : "has the pictures of " + other.Name() + ", but other poses or another prompt");
  }
}

void LogFinding(const Finding& finding) {
  const std::string text = finding.data + ": " + finding.episode + ": " + finding.problem;
  if (finding.severity == Severity::kError) {
    LogError(text);
  } else {
    LogWarning(text);
  }
}

}  // namespace

void ValidateOptions::Validate() const {
  CheckRanges(*this);
  ParseShard(shard);
  if (!paths.empty()) return;
  throw ConfigError({.where = "paths", .got = "not given", .expected = "a data set", .fix = ""});
}

int64_t ValidateReport::NumOf(Severity severity) const {
  return std::count_if(findings.begin(), findings.end(),
                       [&](const Finding& finding) { return finding.severity == severity; });
}

nlohmann::json ToJson(const ValidateReport& report) {
  nlohmann::json findings = nlohmann::json::array();
  for (const Finding& finding : report.findings) {
    findings.push_back(
        {{"data", finding.data},
         {"episode", finding.episode},
         {"kind", ToWord(finding.kind)},
         {"severity", ToWord(finding.severity)},
         {"frame", finding.frame < 0 ? nlohmann::json() : nlohmann::json(finding.frame)},
         {"problem", finding.problem}});
  }
  return {{"sets", report.num_sets},
          {"episodes", report.num_episodes},
          {"frames", report.num_frames},
          {"errors", report.NumOf(Severity::kError)},
          {"warnings", report.NumOf(Severity::kWarning)},
          {"findings", findings}};
}

std::string Summary(const ValidateReport& report) {
  return CountText(report.num_episodes, "episode") + ", " + CountText(report.num_frames, "frame") +
         ": " + CountText(report.NumOf(Severity::kError), "error") + ", " +
         CountText(report.NumOf(Severity::kWarning), "warning");
}

ValidateReport RunValidate(const ValidateOptions& options, RunContext& run) {
  options.Validate();
  std::vector<DataSet> sets;
  for (const std::string& path : options.paths) sets.push_back(OpenDataSet(path, options.layout));
  if (!run.common().out.empty()) run.PrepareOutFile();
  const Shard shard = ParseShard(options.shard);
  std::vector<Look> looks;
  size_t number = 0;
  for (const DataSet& set : sets) {
    for (const EpisodeRef& ref : set.episodes()) {
      if (number++ % shard.count == shard.index) looks.push_back({.data = &set, .ref = &ref});
    }
  }
  const auto count = static_cast<int64_t>(looks.size());
  run.progress().Start("validate", count);
  ParallelFor(count, NumProcessors(), [&](int64_t i) {
    LookAt(looks[static_cast<size_t>(i)]);
    run.progress().Advance(1);
  });
  run.progress().Finish();
  CompareNames(looks);
  CompareShapes(looks);
  CompareContents(looks);
  ValidateReport report;
  report.num_sets = static_cast<int64_t>(sets.size());
  report.num_episodes = count;
  for (Look& look : looks) {
    report.num_frames += look.num_frames;
    for (Finding& finding : look.findings) {
      finding.data = look.data->root().string();
      finding.episode = look.ref->name;
      LogFinding(finding);
      report.findings.push_back(std::move(finding));
    }
  }
  if (run.prepared()) WriteFileAtomic(run.common().out, DumpJson(ToJson(report), 2) + "\n");
  return report;
}

void RequireValid(const ValidateReport& report) {
  for (const Finding& finding : report.findings) {
    if (finding.severity != Severity::kError) continue;
    throw InputError({.where = finding.data,
                      .got = "not valid (" + Summary(report) + "), first for " +
                             ToWord(finding.kind) + " in " + finding.episode,
                      .expected = "no errors",
                      .fix = "see the findings: mend such episodes or leave them out"});
  }
}

}  // namespace aim
