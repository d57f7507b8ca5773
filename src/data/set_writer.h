// Episodes of other data sets, written into one: what converting, merging and splitting share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "aim/base/run_context.h"
#include "aim/data/data_set.h"

namespace aim {

// Logs what episodes had and the layout could not hold (SetWriter::lost).
void WarnOfLost(const std::set<std::string>& lost, const Layout& to);

// Where a run writes, and what it reads.
struct SetPlace {
  std::vector<std::filesystem::path> sources = {};
  std::filesystem::path folder = {};  // an argument of the tool; empty: --out
  std::string shard = {};             // of a run by several processes
};

// Prepares the run's folder for episodes of `layout`; `settings` are kept there for --resume.
// Throws ConfigError for a shard where the layout's episodes share files, and for a folder in one
// of the sources.
void PrepareSetFolder(RunContext& run, const Layout& layout, const SetPlace& place,
                      const nlohmann::json& settings);

// An episode that was written, and from what.
struct WrittenEpisode {
  std::string stamp;    // of what it was read from (DataSet::Stamp)
  std::string content;  // of its pictures, before they were written (data/content.h); may be empty
  int64_t num_frames = 0;
  EpisodeRef target;
  std::set<std::string> lost = {};  // what it had and the layout cannot hold
};

// A line an episode in a file of each process. One that is killed leaves its last line cut at most.
class WrittenEpisodes {
 public:
  // Reads the written*.jsonl of `folder`; Add appends to `file` there.
  WrittenEpisodes(const std::filesystem::path& folder, const std::string& file);

  // By the key that it was added with.
  const std::map<std::string, WrittenEpisode>& all() const { return episodes_; }
  void Add(const std::string& key, const WrittenEpisode& written);

 private:
  void Read(const std::filesystem::path& path);

  std::filesystem::path file_;
  std::map<std::string, WrittenEpisode> episodes_;
};

// The data set that is written. Not thread-safe.
class SetWriter {
 public:
  // `record`: the file in which it is noted what was written, where episodes are apart; empty:
  // none.
  SetWriter(const Layout& layout, const std::filesystem::path& root, bool lossless,
            const std::string& record = "written.jsonl");

  // The stamp of what is to be written; empty where nothing can be gone on with.
  std::string StampOf(const DataSet& data, const EpisodeRef& ref) const;

  // What an earlier run has written comes from `refs`, too. Throws ConfigError naming an episode
  // that does not: the folder would hold two data sets in one.
  void RequireAllFrom(const std::vector<EpisodeRef>& refs, const std::string& source) const;

  // Whether it is there already, made of the same: it then counts, its name is taken, and it is
  // returned; else null. `key` is the source episode's own among all that are written.
  const WrittenEpisode* Resume(const std::string& key, const std::string& stamp);

  // Where an episode is written. A task and variation that were recorded go before those that
  // folders say; where they say nothing of tasks, `number` is its index.
  EpisodeRef TargetOf(const EpisodeRef& ref, size_t number, const Episode& episode) const;

  // What the layout will call it.
  std::string NameOf(const EpisodeRef& target) const;

  // Whether an episode of another key is called so, in this run or an earlier one; the latter
  // throws InputError naming the data set `where` then.
  bool IsTaken(const std::string& key, const EpisodeRef& target) const;
  void RequireFree(const std::string& key, const EpisodeRef& target,
                   const std::string& where) const;

  // Takes its name, writes it and counts it. Throws what EpisodeSink::Write does.
  void Write(const std::string& key, const WrittenEpisode& written, const Episode& episode);
  void Finish() { sink_->Finish(); }

  // Target of what an earlier run wrote for the key, whether or not it is still good.
  const EpisodeRef* EarlierTarget(const std::string& key) const;

  int64_t num_episodes() const { return num_episodes_; }
  int64_t num_resumed() const { return num_resumed_; }  // of them written by an earlier start
  int64_t num_frames() const { return num_frames_; }
  const std::set<std::string>& lost() const { return lost_; }  // "seeds", ..., of any of them

 private:
  void Count(const WrittenEpisode& written);

  const Layout& layout_;
  std::unique_ptr<EpisodeSink> sink_;
  std::optional<WrittenEpisodes> written_;
  std::set<std::string> names_;  // of this run's and, beside them, of an earlier run's
  int64_t num_episodes_ = 0;
  int64_t num_resumed_ = 0;
  int64_t num_frames_ = 0;
  std::set<std::string> lost_;
};

// What was written, into the report of a run that writes one data set; says what was lost.
template <class Report>
void CountWritten(const SetWriter& writer, const Layout& layout, Report& report) {
  report.num_episodes = writer.num_episodes();
  report.num_resumed = writer.num_resumed();
  report.num_frames = writer.num_frames();
  report.lost = {writer.lost().begin(), writer.lost().end()};
  WarnOfLost(writer.lost(), layout);
}

}  // namespace aim
