#include "aim/eval/rollout_merge.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/out_place.h"
#include "aim/base/parse_json.h"
#include "aim/base/run_settings.h"
#include "aim/base/text.h"
#include "eval/picture_tally.h"
#include "eval/rollout_files.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostNamed = 5;  // trials in a message

// A shard's folder and what it was played with.
struct PlayedShard {
  fs::path folder;
  RolloutOptions options = {};
  nlohmann::json run_record;
  nlohmann::json settings = {};  // of trials/settings.json
};

nlohmann::json ReadObject(const fs::path& path, const char* expected) {
  nlohmann::json object = ParseJson(ReadFile(path));
  if (object.is_object()) return object;
  ThrowFormatError(path.string(), "not an object", expected);
}

// What is read of a run record later.
void CheckRecord(const nlohmann::json& record) {
  for (const char* text : {"version", "revision", "device", "simulator"})
    record.at(text).get<std::string>();
  for (const char* number : {"frame_period_s", "seconds", "peak_memory_bytes"}) {
    record.at(number).get<double>();
  }
  record.at("seed").get<uint64_t>();
}

PlayedShard ReadShard(const std::string& folder) {
  const fs::path report_file = fs::path(folder) / "report.json";
  const char* expected = "the report of a finished rollout";
  if (fs::exists(fs::path(folder) / "trials") && !fs::exists(report_file)) {
    throw InputError({.where = folder,
                      .got = "a rollout that is not finished",
                      .expected = expected,
                      .fix = "go on with it: its command with --resume"});
  }
  const nlohmann::json report = ReadObject(report_file, expected);
  try {
    const std::string format = report.at("format");
    if (format != kRolloutFormat && format != kImaginationFormat) {
      ThrowFormatError(report_file.string(), "of another kind", expected);
    }
    CheckRecord(report.at("run"));
    report.at("options");
  } catch (const nlohmann::json::exception& error) {
    ThrowFormatError(report_file.string(), std::string("damaged (") + error.what() + ")", expected);
  }
  PlayedShard shard{.folder = folder, .run_record = report["run"]};
  ApplyOptions(shard.options, report["options"], report_file.string());
  shard.settings = ReadObject(fs::path(folder) / "trials/settings.json", "settings of a rollout");
  return shard;
}

// What all shards must have in common: settings that decide a trial, and which trials there are.
nlohmann::json Common(const PlayedShard& shard) {
  nlohmann::json common = OptionsToJson(shard.options);
  common.update(shard.settings);
  common["frame_period_s"] = shard.run_record.at("frame_period_s");
  for (const char* own : {"shard", "workers", "env_python", "env_timeout_s"}) common.erase(own);
  return common;
}

void RequireSameSettings(const std::vector<PlayedShard>& shards) {
  const nlohmann::json first = Common(shards.front());
  for (const PlayedShard& shard : shards) {
    const std::optional<SettingChange> change = FirstChange(first, Common(shard));
    if (!change) continue;
    throw InputError({.where = shard.folder.string(),
                      .got = "played with " + change->key + " = " + change->now,
                      .expected = change->before + ", as in " + shards.front().folder.string(),
                      .fix = "merge the shards of one rollout"});
  }
}

// The folder of each trial, by its stem. A trial that is there twice is refused.
std::map<std::string, const PlayedShard*> FindTrials(const std::vector<PlayedShard>& shards) {
  std::map<std::string, const PlayedShard*> found;
  for (const PlayedShard& shard : shards) {
    for (const TrialKey& key :
         OfShard(ListTrials(shard.options), ParseShard(shard.options.shard))) {
      if (!fs::exists(TrialFile(shard.folder, key))) continue;
      const auto [place, is_new] = found.emplace(FileStem(key), &shard);
      if (is_new) continue;
      throw InputError(
          {.where = NameOf(key),
           .got = "in " + place->second->folder.string() + " and in " + shard.folder.string(),
           .expected = "each trial in one folder",
           .fix = "merge each shard once"});
    }
  }
  return found;
}

void RequireAll(const std::vector<TrialKey>& keys,
                const std::map<std::string, const PlayedShard*>& found) {
  std::vector<std::string> missing;
  for (const TrialKey& key : keys) {
    if (!found.contains(FileStem(key))) missing.push_back(NameOf(key));
  }
  if (missing.empty()) return;
  const size_t count = missing.size();
  missing.resize(std::min(count, kMostNamed));
  throw InputError(
      {.where = "the set of shards",
       .got = "without " + Join(missing) +
              (count > kMostNamed ? " and " + std::to_string(count - kMostNamed) + " more" : ""),
       .expected = "all " + CountText(static_cast<int64_t>(keys.size()), "trial"),
       .fix = "give the folder of every shard"});
}

// One run's record of several: what they were run with, and what they took together.
nlohmann::json JoinedRecord(const std::vector<PlayedShard>& shards) {
  nlohmann::json record = shards.front().run_record;
  for (const char* key : {"version", "revision", "device"}) {
    std::vector<std::string> words;
    for (const PlayedShard& shard : shards) {
      const std::string word = shard.run_record.at(key).get<std::string>();
      if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
    }
    if (words.size() > 1) {
      LogWarning("the shards were played with " + std::string(key) + " " + Join(words));
    }
    record[key] = Join(words);
  }
  double seconds = 0;
  int64_t peak_bytes = 0;
  for (const PlayedShard& shard : shards) {
    seconds += shard.run_record.at("seconds").get<double>();
    peak_bytes = std::max(peak_bytes, shard.run_record.at("peak_memory_bytes").get<int64_t>());
  }
  record["seconds"] = seconds;
  record["peak_memory_bytes"] = peak_bytes;
  return record;
}

std::vector<std::string> PicturesOf(const TrialRecord& record) {
  std::vector<std::string> files = record.videos;
  if (!record.filmstrip.empty()) files.push_back(record.filmstrip);
  return files;
}

// A shard takes pictures of its own first trials; one rollout has those of the first of all.
void ChoosePictures(TrialRecord& record, PictureTally& tally, const fs::path& folder) {
  if (record.filmstrip.empty()) return;
  if (!tally.IsDue(record)) {
    record.filmstrip.clear();
    record.videos.clear();
    return;
  }
  tally.Count(record);
  for (const std::string& file : PicturesOf(record)) {
    if (fs::exists(folder / file)) continue;
    throw InputError({.where = (folder / file).string(),
                      .got = "missing",
                      .expected = "a picture of a trial of that shard",
                      .fix = "copy the whole folder of the shard"});
  }
}

// All of them, before anything is written.
std::vector<TrialRecord> ReadTrials(const std::vector<TrialKey>& keys,
                                    const std::map<std::string, const PlayedShard*>& found,
                                    int num_videos) {
  PictureTally tally(num_videos);
  std::vector<TrialRecord> records;
  records.reserve(keys.size());
  for (const TrialKey& key : keys) {
    const fs::path& folder = found.at(FileStem(key))->folder;
    records.push_back(ReadTrial(folder, key));
    ChoosePictures(records.back(), tally, folder);
  }
  return records;
}

}  // namespace

RolloutReport RunRolloutMerge(const RolloutMergeOptions& options, RunContext& run) {
  std::vector<PlayedShard> shards;
  for (const std::string& folder : options.folders) shards.push_back(ReadShard(folder));
  AIM_CHECK(!shards.empty());
  RequireSameSettings(shards);
  RolloutResults results{.options = shards.front().options, .run_record = JoinedRecord(shards)};
  results.options.shard.clear();
  const std::vector<TrialKey> keys = ListTrials(results.options);
  const std::map<std::string, const PlayedShard*> found = FindTrials(shards);
  RequireAll(keys, found);
  results.comparisons = ReadComparisons(results.options);
  results.trials = ReadTrials(keys, found, results.options.num_videos);
  for (const PlayedShard& shard : shards) RefuseOutInside(run.out(), shard.folder);
  run.PrepareOutFolder(OutUse::kNew);
  nlohmann::json settings = shards.front().settings;
  settings["shard"] = "";
  WriteFileAtomic(run.out() / "trials/settings.json", DumpJson(settings, 2) + "\n");
  run.progress().Start("merge", static_cast<int64_t>(keys.size()));
  for (size_t i = 0; i < keys.size(); ++i) {
    const fs::path& folder = found.at(FileStem(keys[i]))->folder;
    for (const std::string& file : PicturesOf(results.trials[i])) {
      WriteFileAtomic(run.out() / file, ReadFile(folder / file));
    }
    WriteFileAtomic(TrialFile(run.out(), keys[i]), DumpJson(ToJson(results.trials[i]), -1) + "\n");
    run.progress().Advance(1);
  }
  run.progress().Finish();
  RolloutReport report = WriteResults(results, run.out());
  run.CommitOut();
  return report;
}

}  // namespace aim
