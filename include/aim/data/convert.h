// A data set in any layout, written in another: the work of aim-data convert.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/data/data_options.h"
#include "aim/data/episode_edit.h"
#include "aim/data/skipped.h"

namespace aim {

// The names of the layouts that can be written.
Limits WritableLayouts();

inline constexpr const char* kLosslessHelp =
    "videos keep every bit of the pictures; otherwise they are a tenth of the size";

struct ConvertOptions {
  std::string source;
  std::string destination;
  std::string from = "auto";
  std::string to = "folder";
  EpisodeEdit edit = {};
  bool lossless = true;
  std::string shard = {};

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("source", self.source, Any{}, InAnyLayout("data set, task, or one episode"));
    visit("destination", self.destination, Any{}, "folder to write");
    visit("from", self.from, LayoutChoices(), "layout of the source; auto: found by its files");
    visit("to", self.to, WritableLayouts(), "layout to write");
    EpisodeEdit::ForEachField(self.edit, visit);
    visit("lossless", self.lossless, Any{}, kLosslessHelp);
    visit("shard", self.shard, Any{},
          "i/n: convert only episodes i, i + n, ... (i from 0), as one of n processes");
  }
  void Validate() const;  // throws ConfigError
};

struct ConvertReport {
  std::string from;
  std::string to;
  int64_t num_episodes = 0;
  int64_t num_resumed = 0;  // of them written by an earlier start
  int64_t num_frames = 0;
  std::vector<std::string> lost;  // what the new layout cannot hold: "seed", ...
  std::vector<Skipped> skipped;
};
// {"from", "to", "episodes", "resumed", "frames", "lost", "damaged", "unfit"}
nlohmann::json ToJson(const ConvertReport& report);

// Writes every episode, as `edit` wants it, into the run's folder; whole or absent, so that
// --resume goes on where the layout keeps episodes apart (else --resume and shards are refused).
// report.json (report-i-of-n.json) has the report. Episodes that are damaged, or that the layout
// cannot hold, are left out and named. Throws InputError if none can be read, ConfigError for
// settings other than those of the run to go on with.
ConvertReport RunConvert(const ConvertOptions& options, RunContext& run);

}  // namespace aim
