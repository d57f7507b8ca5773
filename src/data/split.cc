#include "aim/data/split.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <set>
#include <sstream>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"
#include "aim/data/data_set.h"
#include "data/content.h"
#include "data/set_writer.h"
#include "data/split_plan.h"

namespace aim {
namespace {

constexpr const char* kSameLayout = "same";

struct NamedShare {
  std::string name;
  double share = 0;
};

[[noreturn]] void RefuseParts(const std::string& parts, const std::string& expected) {
  throw ConfigError({.where = "--parts",
                     .got = Excerpt(parts),
                     .expected = expected,
                     .fix = "write them as train=0.9,val=0.1"});
}

bool IsPartName(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
}

std::vector<NamedShare> ParseParts(const std::string& text) {
  std::vector<NamedShare> parts;
  std::set<std::string> names;
  double sum = 0;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (equals == std::string::npos || !IsPartName(name) || !names.insert(name).second) {
      RefuseParts(text, "names of letters, digits, - and _, each once, with = and a share behind");
    }
    const nlohmann::json share = ParseOptionText(word.substr(equals + 1));
    if (!share.is_number() || !(share.get<double>() > 0 && share.get<double>() <= 1)) {
      RefuseParts(text, "shares above 0 and at most 1");
    }
    sum += share.get<double>();
    parts.push_back({name, share.get<double>()});
  }
  if (!(std::abs(sum - 1) <= 1e-6)) RefuseParts(text, "shares whose sum is 1");
  return parts;
}

const Layout& LayoutToWrite(const SplitOptions& options, const DataSet& data) {
  if (options.to != kSameLayout) return FindLayout(options.to);
  if (data.layout().CanBeWritten()) return data.layout();
  throw ConfigError(
      {.where = "--to",
       .got = "same, which here is " + std::string(data.layout().Name()),
       .expected = "a layout that can be written: " + Join(WritableLayouts().choices, ", "),
       .fix = "choose one"});
}

class Splitter {
 public:
  Splitter(const SplitOptions& options, RunContext& run)
      : options_(options),
        run_(run),
        data_(OpenDataSet(options.path, options.layout)),
        layout_(LayoutToWrite(options, data_)) {
    report_.from = data_.layout().Name();
    report_.to = layout_.Name();
  }

  SplitReport Run() {
    RequireFitting(data_, options_.edit);
    LookAtEpisodes();
    if (run_.stop_requested()) {
      run_.MarkUnfinished();
      return report_;
    }
    Plan();
    PrepareSetFolder(run_, layout_, {.sources = {options_.path}}, Settings());
    for (const SplitPart& part : report_.parts) {
      std::filesystem::create_directories(run_.out() / part.name);
      writers_.push_back(
          std::make_unique<SetWriter>(layout_, run_.out() / part.name, options_.lossless));
    }
    run_.progress().Start("split", static_cast<int64_t>(items_.size()));
    for (size_t i = 0; i < items_.size() && !run_.stop_requested(); ++i) {
      WriteGuarded(i);
      run_.progress().Advance(1, items_[i].name);
    }
    run_.progress().Finish();
    CountParts();
    if (run_.stop_requested()) {
      run_.MarkUnfinished();
      return report_;
    }
    Finish();
    return report_;
  }

 private:
  // Fills items_ with the episodes that can be read, as far as that shows without all pictures.
  void LookAtEpisodes() {
    const std::vector<EpisodeRef>& refs = data_.episodes();
    run_.progress().Start("compare episodes", static_cast<int64_t>(refs.size()));
    for (size_t i = 0; i < refs.size() && !run_.stop_requested(); ++i) {
      TryOrSkip(refs[i].name, report_.skipped, [&] {
        const std::unique_ptr<OpenEpisode> episode = data_.Open(refs[i]);
        const Episode& facts = episode->facts();
        const std::string stratum = facts.task.empty() ? facts.clip.prompt : facts.task;
        items_.push_back({.name = refs[i].name,
                          .content = HashSomePictures(*episode),
                          .stratum = options_.stratify ? stratum : ""});
        numbers_.push_back(i);
      });
      run_.progress().Advance(1);
    }
    run_.progress().Finish();
    RequireOneRead(options_.path, refs.size(), report_.skipped);
  }

  // Fills parts_ and the names and episodes of the report's parts.
  void Plan() {
    if (options_.parts.empty()) {
      SizedSplit sized = PlanSizedSplit(items_, options_.episodes_per_part, run_.seed());
      parts_ = std::move(sized.parts);
      for (size_t i = 0; i < sized.num_parts; ++i) {
        report_.parts.push_back({.name = "part" + std::to_string(i), .episodes = {}});
      }
    } else {
      SplitShares shares;
      for (const NamedShare& one : ParseParts(options_.parts)) {
        shares.shares.push_back(one.share);
        report_.parts.push_back({.name = one.name, .episodes = {}});
      }
      parts_ = PlanSplit(items_, shares, run_.seed());
    }
    for (size_t i = 0; i < items_.size(); ++i) {
      report_.parts[parts_[i]].episodes.push_back(items_[i].name);
    }
    for (const SplitPart& part : report_.parts) {
      if (!part.episodes.empty()) continue;
      throw InputError({.where = options_.path,
                        .got = "with " + CountText(static_cast<int64_t>(items_.size()), "episode") +
                               ", of which " + part.name + " would get none",
                        .expected = "enough for every part",
                        .fix = "ask for fewer parts, or a larger share for " + part.name});
    }
  }

  // What another start must have in common with this one.
  nlohmann::json Settings() const {
    nlohmann::json settings = OptionsToJson(options_);
    for (const char* free : {"path", "layout"}) settings.erase(free);
    settings["seed"] = run_.seed();
    std::vector<std::string> lines;
    for (size_t i = 0; i < items_.size(); ++i) {
      lines.push_back(items_[i].name + ' ' + items_[i].content + ' ' + std::to_string(parts_[i]));
    }
    std::sort(lines.begin(), lines.end());
    settings["episodes"] = HexText(StableHash(Join(lines, "\n")));
    return settings;
  }

  void WriteGuarded(size_t item) {
    const EpisodeRef& ref = data_.episodes()[numbers_[item]];
    SetWriter& writer = *writers_[parts_[item]];
    const std::string stamp = writer.StampOf(data_, ref);
    if (writer.Resume(ref.name, stamp) != nullptr) return;
    const bool is_written = TryOrSkip(ref.name, report_.skipped, [&] {
      const Episode episode = ReadEdited(*data_.Open(ref), options_.edit);
      const WrittenEpisode written{.stamp = stamp,
                                   .content = {},
                                   .num_frames = episode.clip.views.at(0).num_frames,
                                   .target = writer.TargetOf(ref, numbers_[item], episode)};
      writer.RequireFree(ref.name, written.target, data_.root().string());
      writer.Write(ref.name, written, episode);
    });
    if (!is_written) std::erase(report_.parts[parts_[item]].episodes, ref.name);
  }

  void CountParts() {
    std::set<std::string> lost;
    for (size_t i = 0; i < writers_.size(); ++i) {
      lost.insert(writers_[i]->lost().begin(), writers_[i]->lost().end());
      report_.parts[i].num_episodes = writers_[i]->num_episodes();
      report_.parts[i].num_resumed = writers_[i]->num_resumed();
      report_.parts[i].num_frames = writers_[i]->num_frames();
    }
    report_.lost = {lost.begin(), lost.end()};
    WarnOfLost(lost, layout_);
  }

  void Finish() {
    RequireOneRead(options_.path, data_.episodes().size(), report_.skipped);
    for (size_t i = 0; i < writers_.size(); ++i) {
      if (report_.parts[i].num_episodes == 0) {
        throw InputError({.where = options_.path,
                          .got = "without a readable episode for the part " + report_.parts[i].name,
                          .expected = "at least one",
                          .fix = "see what was left out"});
      }
      writers_[i]->Finish();
    }
    nlohmann::json report = ToJson(report_);
    for (const SplitPart& part : report_.parts) {
      report["parts"][part.name]["names"] = part.episodes;
    }
    WriteFileAtomic(run_.out() / "report.json", DumpJson(report, 2) + "\n");
    run_.CommitOut();
  }

  SplitOptions options_;
  RunContext& run_;
  DataSet data_;
  const Layout& layout_;
  std::vector<SplitItem> items_;
  std::vector<size_t> numbers_;  // of each item among the data's episodes
  std::vector<size_t> parts_;    // of each item
  std::vector<std::unique_ptr<SetWriter>> writers_;
  SplitReport report_;
};

}  // namespace

Limits SplitOptions::SplitLayouts() {
  Limits limits = WritableLayouts();
  limits.choices.insert(limits.choices.begin(), kSameLayout);
  return limits;
}

void SplitOptions::Validate() const {
  CheckRanges(*this);
  if (parts.empty() == (episodes_per_part == 0)) {
    throw ConfigError({.where = "--parts",
                       .got = parts.empty() ? "not given" : "given with --episodes-per-part",
                       .expected = "either the parts with their shares, or how many episodes each "
                                   "has at most",
                       .fix = "give --parts train=0.9,val=0.1 or --episodes-per-part N"});
  }
  if (!parts.empty()) ParseParts(parts);
}

nlohmann::json ToJson(const SplitReport& report) {
  nlohmann::json parts = nlohmann::json::object();
  for (const SplitPart& part : report.parts) {
    parts[part.name] = {{"episodes", part.num_episodes},
                        {"resumed", part.num_resumed},
                        {"frames", part.num_frames}};
  }
  nlohmann::json json = {
      {"from", report.from}, {"to", report.to}, {"parts", parts}, {"lost", report.lost}};
  AddSkipped(report.skipped, json);
  return json;
}

SplitReport RunSplit(const SplitOptions& options, RunContext& run) {
  options.Validate();
  return Splitter(options, run).Run();
}

}  // namespace aim
