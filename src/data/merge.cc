#include "aim/data/merge.h"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/normal_path.h"
#include "aim/base/text.h"
#include "aim/data/data_set.h"
#include "data/content.h"
#include "data/set_shape.h"
#include "data/set_writer.h"

namespace aim {
namespace {

// One of the sets that are merged.
struct MergeSource {
  DataSet data;
  std::string prefix;

  std::string KeyOf(const EpisodeRef& ref) const { return prefix + "/" + ref.name; }
};

std::vector<MergeSource> OpenSources(const MergeOptions& options) {
  std::vector<MergeSource> sources;
  std::set<std::string> taken;
  for (size_t i = 0; i + 1 < options.paths.size(); ++i) {
    const std::string name = NormalPath(options.paths[i]).filename().string();
    std::string prefix = name;
    for (int number = 2; !taken.insert(prefix).second; ++number) {
      prefix = name + "-" + std::to_string(number);
    }
    sources.push_back({OpenDataSet(options.paths[i], options.from), prefix});
    RequireFitting(sources.back().data, options.edit);
  }
  return sources;
}

// An episode's shape, and what to call it in a sentence.
struct NamedShape {
  std::string episode;
  SetShape shape;
};

[[noreturn]] void RefuseShape(const std::string& where, const NamedShape& one,
                              const NamedShape& first) {
  const bool is_order = one.shape.views != first.shape.views;
  throw InputError({.where = where,
                    .got = "with " + ToWords(one.shape) + " in " + one.episode,
                    .expected = ToWords(first.shape) + " as in " + first.episode,
                    .fix = is_order ? "name the views to take with --views, and bring sizes and "
                                      "rates together with --width, --height and --fps"
                                    : "bring them together with --width, --height and --fps"});
}

// All shapes fit together, in one file where episodes are not apart, and every set has an episode
// that can be read. Ends early when the run is to stop.
void RequireOneShape(const std::vector<MergeSource>& sources, const EpisodeEdit& edit,
                     bool are_apart, RunContext& run) {
  Progress& progress = run.progress();
  std::optional<NamedShape> first;
  int64_t count = 0;
  for (const MergeSource& source : sources) {
    count += static_cast<int64_t>(source.data.episodes().size());
  }
  progress.Start("compare shapes", count);
  for (const MergeSource& source : sources) {
    std::vector<Skipped> unreadable;
    for (const EpisodeRef& ref : source.data.episodes()) {
      if (run.stop_requested()) return;
      progress.Advance(1);
      std::optional<NamedShape> one;
      try {
        one = {source.KeyOf(ref), ShapeOf(*source.data.OpenAsIs(ref), edit)};
      } catch (const InputError& error) {
        unreadable.push_back({ref.name, error.what()});  // said when it is left out
        continue;
      }
      if (!first) first = one;
      if ((are_apart ? FitTogether : CanShareFiles)(one->shape, first->shape)) continue;
      RefuseShape(source.data.root().string(), *one, *first);
    }
    RequireOneRead(source.data.root().string(), source.data.episodes().size(), unreadable);
  }
  progress.Finish();
}

class Merger {
 public:
  Merger(const MergeOptions& options, RunContext& run)
      : options_(options),
        run_(run),
        layout_(FindLayout(options.to)),
        sources_(OpenSources(options)) {
    report_.to = layout_.Name();
    for (const MergeSource& source : sources_) {
      report_.sets.push_back({.path = source.data.root().string(),
                              .layout = std::string(source.data.layout().Name()),
                              .prefix = source.prefix});
    }
  }

  MergeReport Run() {
    RequireOneShape(sources_, options_.edit, layout_.Limits().apart, run_);
    if (run_.stop_requested()) {
      run_.MarkUnfinished();
      return report_;
    }
    PrepareSetFolder(run_, layout_,
                     {.sources = {options_.paths.begin(), options_.paths.end() - 1},
                      .folder = options_.paths.back()},
                     Settings());
    SetWriter writer(layout_, run_.out(), options_.lossless);
    size_t number = 0;
    size_t count = 0;
    for (const MergeSource& source : sources_) count += source.data.episodes().size();
    run_.progress().Start("merge", static_cast<int64_t>(count));
    for (size_t s = 0; s < sources_.size() && !run_.stop_requested(); ++s) {
      MergeSet(s, number, writer);
    }
    run_.progress().Finish();
    CountWritten(writer, layout_, report_);
    if (run_.stop_requested()) {
      run_.MarkUnfinished();
      return report_;
    }
    writer.Finish();
    WriteFileAtomic(run_.out() / "report.json", DumpJson(ToJson(report_), 2) + "\n");
    run_.CommitOut();
    return report_;
  }

 private:
  // An episode that is in the merged set, and where it came from.
  struct Kept {
    const DataSet* data;
    const EpisodeRef* ref;
    std::string name;
  };

  // Without the destination: what is merged, in which order, decides the names.
  nlohmann::json Settings() const {
    nlohmann::json settings = OptionsToJson(options_);
    settings["paths"].erase(settings["paths"].size() - 1);
    return settings;
  }

  // Throws InputError if none of its episodes can be taken.
  void MergeSet(size_t set, size_t& number, SetWriter& writer) {
    const DataSet& data = sources_[set].data;
    const size_t num_before = report_.skipped.size();
    for (const EpisodeRef& ref : data.episodes()) {
      if (run_.stop_requested()) return;
      MergeGuarded(set, ref, number++, writer);
      run_.progress().Advance(1, ref.name);
    }
    RequireOneRead(
        data.root().string(), data.episodes().size(),
        {report_.skipped.begin() + static_cast<std::ptrdiff_t>(num_before), report_.skipped.end()});
  }

  void MergeGuarded(size_t set, const EpisodeRef& ref, size_t number, SetWriter& writer) {
    const MergeSource& source = sources_[set];
    const std::string key = source.KeyOf(ref);
    const std::string stamp = writer.StampOf(source.data, ref);
    if (const WrittenEpisode* earlier = writer.Resume(key, stamp)) {
      Keep(set, ref, writer.NameOf(earlier->target), earlier->content);
      NoteName(set, ref, number, earlier->target, writer);
      return;
    }
    TryOrSkip(key, report_.skipped, [&] {
      const Episode episode = ReadEdited(*source.data.Open(ref), options_.edit);
      const std::string content = HashPictures(episode.clip);
      if (const Kept* same = FindSame(content, episode.clip)) {
        LogInfo(key + " is the same as " + same->name + ": kept once");
        report_.repeated.push_back({source.prefix, ref.name, same->name});
        return;
      }
      const EpisodeRef target =
          FreeTarget(key, source.prefix, writer.TargetOf(ref, number, episode), writer);
      writer.Write(key,
                   {.stamp = stamp,
                    .content = content,
                    .num_frames = episode.clip.views.at(0).num_frames,
                    .target = target},
                   episode);
      Keep(set, ref, writer.NameOf(target), content);
      NoteName(set, ref, number, target, writer);
    });
  }

  const Kept* FindSame(const std::string& content, const Clip& clip) const {
    const auto [begin, end] = kept_.equal_range(content);
    for (auto one = begin; one != end; ++one) {
      const Kept& kept = one->second;
      const std::unique_ptr<OpenEpisode> open = kept.data->OpenAsIs(*kept.ref);
      if (!options_.edit.views.empty()) open->KeepViews(options_.edit.views);
      Clip earlier = open->facts().clip;
      earlier.poses = EditedPoses(*open, options_.edit);
      if (SayTheSame(earlier, clip)) return &kept;
    }
    return nullptr;
  }

  void Keep(size_t set, const EpisodeRef& ref, const std::string& name,
            const std::string& content) {
    ++report_.sets[set].num_episodes;
    kept_.emplace(content, Kept{&sources_[set].data, &ref, name});
  }

  // What an earlier run called it, its own name, or the next that is free.
  EpisodeRef FreeTarget(const std::string& key, const std::string& prefix, EpisodeRef target,
                        const SetWriter& writer) const {
    if (const EpisodeRef* earlier = writer.EarlierTarget(key)) return *earlier;
    const std::string name = target.name;
    for (int attempt = 1; writer.IsTaken(key, target); ++attempt) {
      if (layout_.Limits().task) {
        ++target.index;
      } else {
        target.name = prefix + "_" + name + (attempt > 1 ? "-" + std::to_string(attempt) : "");
      }
    }
    return target;
  }

  void NoteName(size_t set, const EpisodeRef& ref, size_t number, const EpisodeRef& target,
                const SetWriter& writer) {
    EpisodeRef own = target;
    own.name = ref.name;
    own.index = ref.task.empty() ? static_cast<int>(number) : ref.index;
    if (writer.NameOf(own) == writer.NameOf(target)) return;
    if (!layout_.Limits().apart) return;  // it numbers its episodes itself
    report_.renamed.push_back({sources_[set].prefix, ref.name, writer.NameOf(target)});
  }

  MergeOptions options_;
  RunContext& run_;
  const Layout& layout_;
  std::vector<MergeSource> sources_;
  std::multimap<std::string, Kept> kept_;  // by content
  MergeReport report_;
};

nlohmann::json ToJson(const std::vector<NamedAs>& named) {
  nlohmann::json list = nlohmann::json::array();
  for (const NamedAs& one : named) {
    list.push_back({{"set", one.data}, {"episode", one.episode}, {"name", one.name}});
  }
  return list;
}

}  // namespace

void MergeOptions::Validate() const {
  CheckRanges(*this);
  if (paths.size() >= 3) return;
  throw ConfigError({.where = "PATH",
                     .got = "given " + (paths.size() == 1 ? std::string("once")
                                                          : CountText(std::ssize(paths), "time")),
                     .expected = "two or more data sets, then the folder to write",
                     .fix = "aim-data merge A B OUT"});
}

nlohmann::json ToJson(const MergeReport& report) {
  nlohmann::json sets = nlohmann::json::array();
  for (const MergedSet& set : report.sets) {
    sets.push_back({{"path", set.path},
                    {"layout", set.layout},
                    {"prefix", set.prefix},
                    {"episodes", set.num_episodes}});
  }
  nlohmann::json json = {{"to", report.to},
                         {"sets", sets},
                         {"episodes", report.num_episodes},
                         {"resumed", report.num_resumed},
                         {"frames", report.num_frames},
                         {"lost", report.lost},
                         {"renamed", ToJson(report.renamed)},
                         {"repeated", ToJson(report.repeated)}};
  AddSkipped(report.skipped, json);
  return json;
}

MergeReport RunMerge(const MergeOptions& options, RunContext& run) {
  options.Validate();
  return Merger(options, run).Run();
}

}  // namespace aim
