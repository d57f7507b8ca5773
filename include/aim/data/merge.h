// Several data sets, in any layouts, written as one: the work of aim-data merge.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/data/convert.h"

namespace aim {

struct MergeOptions {
  std::vector<std::string> paths = {};
  std::string from = "auto";
  std::string to = "folder";
  EpisodeEdit edit = {};
  bool lossless = true;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("paths", self.paths, Any{},
          InAnyLayout("two or more data sets, then the folder to write; data sets"));
    visit("from", self.from, LayoutChoices(),
          "layout of the data sets; auto: of each, by its files");
    visit("to", self.to, WritableLayouts(), "layout to write");
    EpisodeEdit::ForEachField(self.edit, visit);
    visit("lossless", self.lossless, Any{}, kLosslessHelp);
  }
  void Validate() const;  // throws ConfigError
};

struct MergedSet {
  std::string path;
  std::string layout;
  std::string prefix;        // of its episodes' names where they clash
  int64_t num_episodes = 0;  // that were written
};

// An episode that goes by another name, and which.
struct NamedAs {
  std::string data;  // the set's prefix
  std::string episode;
  std::string name;
};

struct MergeReport {
  std::string to;
  std::vector<MergedSet> sets;
  int64_t num_episodes = 0;
  int64_t num_resumed = 0;  // of them written by an earlier start
  int64_t num_frames = 0;
  std::vector<std::string> lost;  // what the new layout cannot hold
  std::vector<NamedAs> renamed;
  std::vector<NamedAs> repeated;  // left out: the same as the episode of that name
  std::vector<Skipped> skipped;
};
// {"to", "sets": [{"path", "layout", "prefix", "episodes"}], "episodes", "resumed", "frames",
// "lost", "renamed", "repeated": [{"set", "episode", "name"}], "damaged", "unfit"}
nlohmann::json ToJson(const MergeReport& report);

// Writes the episodes of all sets, in their order, into the run's folder, like RunConvert: whole or
// absent, --resume, report.json, damaged ones left out and named. An episode with the pictures,
// poses and prompt of one before it is left out. One whose name is taken is called
// <prefix>_<name>, the prefix being the name of its set's folder (with -2, -3, ... where several
// are called alike); where the layout numbers the episodes of a task it gets the next free number.
// Throws InputError, before anything is written, if a set has no readable episode or the sets'
// shapes, as `edit` leaves them, differ.
MergeReport RunMerge(const MergeOptions& options, RunContext& run);

}  // namespace aim
