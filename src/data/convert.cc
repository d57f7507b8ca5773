#include "aim/data/convert.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/parse_json.h"
#include "aim/base/run_settings.h"
#include "aim/base/shard.h"
#include "aim/base/text.h"
#include "aim/data/data_set.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUnknownTask = "clips";  // where a layout wants the name of one

// What the one layout holds and the other does not.
std::vector<std::string> LostBetween(const LayoutLimits& from, const LayoutLimits& to) {
  const std::vector<std::pair<const char*, bool LayoutLimits::*>> kParts = {
      {"cameras", &LayoutLimits::cameras},
      {"poses", &LayoutLimits::poses},
      {"measured poses", &LayoutLimits::measured},
      {"confidence", &LayoutLimits::confidence},
      {"instructions", &LayoutLimits::prompt},
      {"tasks", &LayoutLimits::task},
      {"seeds", &LayoutLimits::seed}};
  std::vector<std::string> lost;
  for (const auto& [name, part] : kParts) {
    if (from.*part && !(to.*part)) lost.emplace_back(name);
  }
  return lost;
}

// An episode that was written, and from what.
struct Written {
  std::string stamp;
  int64_t num_frames = 0;
  EpisodeRef target;
};

nlohmann::json ToJson(const std::string& episode, const Written& written) {
  return {{"episode", episode},
          {"stamp", written.stamp},
          {"frames", written.num_frames},
          {"task", written.target.task},
          {"variation", written.target.variation},
          {"index", written.target.index}};
}

// Nothing for a line that was cut off.
std::optional<std::pair<std::string, Written>> ReadLine(const std::string& line) {
  const nlohmann::json one = ParseJson(line);
  if (!one.is_object()) return std::nullopt;
  try {
    const std::string episode = one.at("episode");
    return {{episode,
             {.stamp = one.at("stamp"),
              .num_frames = one.at("frames"),
              .target = {.name = episode,
                         .path = {},
                         .task = one.at("task"),
                         .variation = one.at("variation"),
                         .index = one.at("index")}}}};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

// A line an episode in a file of each process. One that is killed leaves its last line cut at most.
class WrittenEpisodes {
 public:
  WrittenEpisodes(const fs::path& folder, const std::string& file) : file_(folder / file) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("written") && name.ends_with(".jsonl")) Read(entry.path());
    }
  }

  const Written* Find(const std::string& episode) const {
    const auto found = episodes_.find(episode);
    return found == episodes_.end() ? nullptr : &found->second;
  }

  void Add(const std::string& episode, const Written& written) {
    std::ofstream file(file_, std::ios::app);
    file << '\n' << DumpJson(ToJson(episode, written)) << std::flush;
    if (file) return;
    throw IoError({file_.string(), "not writable", "a line more", "free some space"});
  }

 private:
  void Read(const fs::path& path) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      if (auto read = ReadLine(line)) episodes_[read->first] = std::move(read->second);
    }
  }

  fs::path file_;
  std::map<std::string, Written> episodes_;
};

class Converter {
 public:
  Converter(const ConvertOptions& options, RunContext& run)
      : options_(options),
        run_(run),
        shard_(ParseShard(options.shard)),
        data_(OpenDataSet(options.source, options.from)),
        layout_(FindLayout(options.to)) {
    report_.from = data_.layout().Name();
    report_.to = layout_.Name();
    report_.lost = LostBetween(data_.layout().Limits(), layout_.Limits());
  }

  ConvertReport Run() {
    Prepare();
    const std::unique_ptr<EpisodeSink> sink =
        layout_.Create(run_.out(), {.lossless = options_.lossless});
    if (layout_.Limits().apart) {
      written_.emplace(run_.out(), shard_.FileStem("written") + ".jsonl");
    }
    const std::vector<EpisodeRef>& refs = data_.episodes();
    const size_t count = shard_.SizeOf(refs.size());
    run_.progress().Start("convert", static_cast<int64_t>(count));
    for (size_t i = shard_.index; i < refs.size() && !run_.stop_requested(); i += shard_.count) {
      ConvertGuarded(i, *sink);
      run_.progress().Advance(1, refs[i].name);
    }
    run_.progress().Finish();
    RequireOneRead(options_.source, count, report_.skipped);
    if (run_.stop_requested()) {
      run_.MarkUnfinished();
      return report_;
    }
    sink->Finish();
    WriteFileAtomic(run_.out() / (shard_.FileStem("report") + ".json"),
                    DumpJson(aim::ToJson(report_), 2) + "\n");
    run_.CommitOut();
    return report_;
  }

 private:
  void Prepare() {
    const bool is_apart = layout_.Limits().apart;
    if (!is_apart && shard_.count > 1) {
      throw ConfigError({.where = "--shard",
                         .got = options_.shard,
                         .expected = "nothing: in the layout " + options_.to +
                                     " episodes share files, which one process writes",
                         .fix = "leave it out"});
    }
    const OutUse use = !is_apart          ? OutUse::kNew
                       : shard_.count > 1 ? OutUse::kShared
                                          : OutUse::kResumable;
    run_.PrepareOutFolder(use, options_.destination);
    nlohmann::json settings = OptionsToJson(options_);
    for (const char* free : {"shard", "destination", "source", "from"}) settings.erase(free);
    KeepSettings(run_.out() / "settings.json", settings);
    if (report_.lost.empty()) return;
    LogWarning("the layout " + options_.to + " cannot hold " + Join(report_.lost, ", ") +
               ": left out");
  }

  void ConvertGuarded(size_t number, EpisodeSink& sink) {
    const EpisodeRef& ref = data_.episodes()[number];
    const std::string stamp = written_ ? data_.Stamp(ref) : "";
    const Written* earlier = written_ ? written_->Find(ref.name) : nullptr;
    if (earlier != nullptr && earlier->stamp == stamp && sink.Holds(earlier->target)) {
      ++report_.num_resumed;
      targets_.insert(NameOf(earlier->target));
      Count(earlier->num_frames);
      return;
    }
    TryOrSkip(ref.name, report_.skipped, [&] {
      const Episode episode = ReadEdited(*data_.Open(ref), options_.edit);
      const Written written{.stamp = stamp,
                            .num_frames = episode.clip.views.at(0).num_frames,
                            .target = TargetOf(number, episode)};
      RequireNew(written.target);
      sink.Write(written.target, episode);
      if (written_) written_->Add(ref.name, written);
      Count(written.num_frames);
    });
  }

  // Where it is written. A variation that was recorded goes before the one that folders say; where
  // they say nothing of tasks, episodes are numbered.
  EpisodeRef TargetOf(size_t number, const Episode& episode) const {
    EpisodeRef target = data_.episodes()[number];
    if (target.task.empty()) target.index = static_cast<int>(number);
    target.task = episode.task.empty() && layout_.Limits().task ? kUnknownTask : episode.task;
    target.variation = episode.variation;
    return target;
  }

  // Two episodes that the new layout would call the same must not replace each other.
  void RequireNew(const EpisodeRef& target) {
    const std::string name = NameOf(target);
    if (targets_.insert(name).second) return;
    throw InputError({.where = data_.root().string(),
                      .got = "a second episode that becomes " + name,
                      .expected = "names that differ",
                      .fix = "convert the parts of the data set one by one"});
  }

  std::string NameOf(const EpisodeRef& target) const {
    if (!layout_.Limits().task) return target.name;
    return EpisodeName(target.task, target.variation, target.index);
  }

  void Count(int64_t num_frames) {
    ++report_.num_episodes;
    report_.num_frames += num_frames;
  }

  ConvertOptions options_;
  RunContext& run_;
  Shard shard_;
  DataSet data_;
  const Layout& layout_;
  std::optional<WrittenEpisodes> written_;
  std::set<std::string> targets_;  // names that were given
  ConvertReport report_;
};

}  // namespace

Limits WritableLayouts() {
  Limits limits = Any{};
  for (const Layout* layout : Layouts()) {
    if (layout->CanBeWritten()) limits.choices.emplace_back(layout->Name());
  }
  return limits;
}

void ConvertOptions::Validate() const {
  CheckRanges(*this);
  ParseShard(shard);
}

nlohmann::json ToJson(const ConvertReport& report) {
  return {{"from", report.from},
          {"to", report.to},
          {"episodes", report.num_episodes},
          {"resumed", report.num_resumed},
          {"frames", report.num_frames},
          {"lost", report.lost},
          {"damaged", ToJson(report.skipped)}};
}

ConvertReport RunConvert(const ConvertOptions& options, RunContext& run) {
  options.Validate();
  return Converter(options, run).Run();
}

}  // namespace aim
