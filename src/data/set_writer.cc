#include "data/set_writer.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/out_place.h"
#include "aim/base/parse_json.h"
#include "aim/base/run_settings.h"
#include "aim/base/shard.h"
#include "aim/base/text.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUnknownTask = "clips";  // where a layout wants the name of one

nlohmann::json ToJson(const std::string& key, const WrittenEpisode& written) {
  return {{"episode", key},
          {"stamp", written.stamp},
          {"content", written.content},
          {"lost", written.lost},
          {"frames", written.num_frames},
          {"name", written.target.name},
          {"task", written.target.task},
          {"variation", written.target.variation},
          {"index", written.target.index}};
}

// Nothing for a line that was cut off.
std::optional<std::pair<std::string, WrittenEpisode>> ReadLine(const std::string& line) {
  const nlohmann::json one = ParseJson(line);
  if (!one.is_object()) return std::nullopt;
  try {
    const std::string key = one.at("episode");
    return {{key,
             {.stamp = one.at("stamp"),
              .content = one.at("content"),
              .num_frames = one.at("frames"),
              .target = {.name = one.at("name"),
                         .path = {},
                         .task = one.at("task"),
                         .variation = one.at("variation"),
                         .index = one.at("index")},
              .lost = one.value("lost", std::set<std::string>())}}};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

// What the episode has and the layout does not hold.
std::set<std::string> LostOf(const Episode& episode, const LayoutLimits& to) {
  const Clip& clip = episode.clip;
  const bool has_cameras = std::any_of(clip.views.begin(), clip.views.end(), [](const auto& view) {
    return !view.camera.frames.empty();
  });
  struct Part {
    const char* name;
    bool is_there;
    bool is_held;
  };
  std::set<std::string> lost;
  for (const Part& part :
       {Part{"cameras", has_cameras, to.cameras}, Part{"poses", clip.poses.size() > 1, to.poses},
        Part{"measured poses", !episode.measured.empty(), to.measured},
        Part{"confidence", !episode.confidence.empty(), to.confidence},
        Part{"instructions", !clip.prompt.empty(), to.prompt},
        Part{"tasks", !episode.task.empty(), to.task}, Part{"seeds", episode.seed != 0, to.seed}}) {
    if (part.is_there && !part.is_held) lost.insert(part.name);
  }
  return lost;
}

}  // namespace

void PrepareSetFolder(RunContext& run, const Layout& layout, const SetPlace& place,
                      const nlohmann::json& settings) {
  const bool is_apart = layout.Limits().apart;
  const bool is_shared = ParseShard(place.shard).count > 1;
  const std::string name(layout.Name());
  if (!is_apart && is_shared) {
    throw ConfigError({.where = "--shard",
                       .got = place.shard,
                       .expected = "nothing: in the layout " + name +
                                   " episodes share files, which one process writes",
                       .fix = "leave it out"});
  }
  const OutUse use = !is_apart ? OutUse::kNew : is_shared ? OutUse::kShared : OutUse::kResumable;
  for (const fs::path& source : place.sources) {
    if (place.folder.empty()) {
      RefuseOutInside(run.out(), source);
    } else {
      RefuseOutInside(place.folder, source, "the folder to write");
    }
  }
  if (place.folder.empty()) {
    run.PrepareOutFolder(use);
  } else {
    run.PrepareOutFolder(use, place.folder);
  }
  KeepSettings(run.out() / "settings.json", settings);
}

void WarnOfLost(const std::set<std::string>& lost, const Layout& to) {
  if (lost.empty()) return;
  LogWarning("the layout " + std::string(to.Name()) + " cannot hold " +
             Join({lost.begin(), lost.end()}) + ": left out");
}

WrittenEpisodes::WrittenEpisodes(const fs::path& folder, const std::string& file)
    : file_(folder / file) {
  if (!fs::is_directory(folder)) return;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("written") && name.ends_with(".jsonl")) Read(entry.path());
  }
}

void WrittenEpisodes::Add(const std::string& key, const WrittenEpisode& written) {
  std::ofstream file(file_, std::ios::app);
  file << '\n' << DumpJson(ToJson(key, written)) << std::flush;
  if (file) return;
  throw IoError({file_.string(), "not writable", "a line more", "free some space"});
}

void WrittenEpisodes::Read(const fs::path& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (auto read = ReadLine(line)) episodes_[read->first] = std::move(read->second);
  }
}

SetWriter::SetWriter(const Layout& layout, const fs::path& root, bool lossless,
                     const std::string& record)
    : layout_(layout), sink_(layout.Create(root, {.lossless = lossless})) {
  if (!layout.Limits().apart || record.empty()) return;
  written_.emplace(root, record);
  for (const auto& [key, written] : written_->all()) {
    if (sink_->Holds(written.target)) names_.insert(NameOf(written.target));
  }
}

std::string SetWriter::StampOf(const DataSet& data, const EpisodeRef& ref) const {
  return written_ ? data.Stamp(ref) : "";
}

void SetWriter::RequireAllFrom(const std::vector<EpisodeRef>& refs,
                               const std::string& source) const {
  if (!written_) return;
  std::set<std::string> known;
  for (const EpisodeRef& ref : refs) known.insert(ref.name);
  for (const auto& [key, written] : written_->all()) {
    if (known.contains(key) || !sink_->Holds(written.target)) continue;
    throw ConfigError({.where = "--resume",
                       .got = "given where episode " + Excerpt(key) +
                              " is written already, which " + source + " does not have",
                       .expected = "the data set that it was begun with",
                       .fix = "give another folder, or merge the two: aim-data merge"});
  }
}

const WrittenEpisode* SetWriter::Resume(const std::string& key, const std::string& stamp) {
  if (!written_) return nullptr;
  const auto found = written_->all().find(key);
  if (found == written_->all().end()) return nullptr;
  const WrittenEpisode& earlier = found->second;
  if (earlier.stamp != stamp || !sink_->Holds(earlier.target)) return nullptr;
  ++num_resumed_;
  Count(earlier);
  return &earlier;
}

const EpisodeRef* SetWriter::EarlierTarget(const std::string& key) const {
  if (!written_) return nullptr;
  const auto found = written_->all().find(key);
  return found == written_->all().end() ? nullptr : &found->second.target;
}

EpisodeRef SetWriter::TargetOf(const EpisodeRef& ref, size_t number, const Episode& episode) const {
  EpisodeRef target = ref;
  if (target.task.empty()) target.index = static_cast<int>(number);
  target.task = episode.task.empty() && layout_.Limits().task ? kUnknownTask : episode.task;
  target.variation = episode.variation;
  return target;
}

std::string SetWriter::NameOf(const EpisodeRef& target) const { return sink_->NameOf(target); }

bool SetWriter::IsTaken(const std::string& key, const EpisodeRef& target) const {
  const std::string name = NameOf(target);
  const EpisodeRef* earlier = EarlierTarget(key);
  return names_.contains(name) && (earlier == nullptr || NameOf(*earlier) != name);
}

void SetWriter::RequireFree(const std::string& key, const EpisodeRef& target,
                            const std::string& where) const {
  if (!IsTaken(key, target)) return;
  throw UnfitError({.where = where,
                    .got = "a second episode that becomes " + NameOf(target),
                    .expected = "names that differ",
                    .fix = "convert the parts of the data set one by one"});
}

void SetWriter::Write(const std::string& key, const WrittenEpisode& written,
                      const Episode& episode) {
  sink_->Write(written.target, episode);
  names_.insert(NameOf(written.target));
  WrittenEpisode noted = written;
  noted.lost = LostOf(episode, layout_.Limits());
  if (written_) written_->Add(key, noted);
  Count(noted);
}

void SetWriter::Count(const WrittenEpisode& written) {
  ++num_episodes_;
  num_frames_ += written.num_frames;
  lost_.insert(written.lost.begin(), written.lost.end());
}

}  // namespace aim
