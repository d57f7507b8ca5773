// A data set written as several: the work of aim-data split.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/data/convert.h"

namespace aim {

struct SplitOptions {
  std::string path = {};
  std::string layout = "auto";
  std::string parts = {};
  int64_t episodes_per_part = 0;
  bool stratify = false;
  std::string to = "same";
  EpisodeEdit edit = {};
  bool lossless = true;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("path", self.path, Any{}, InAnyLayout("data set to split"));
    visit("layout", self.layout, LayoutChoices(), "of the data set; auto: found by its files");
    visit("parts", self.parts, Any{},
          "names of the parts and their shares of the episodes, as train=0.9,val=0.1; or "
          "--episodes-per-part");
    visit("episodes_per_part", self.episodes_per_part, Range{0, 1e9},
          "parts of at most so many episodes, copies together, called part0, part1, ...; 0 = by "
          "--parts");
    visit("stratify", self.stratify, Any{},
          "share out the episodes of each task (of each prompt, where tasks are not known) in the "
          "same proportion");
    visit("to", self.to, SplitLayouts(), "layout to write; same: that of the data set");
    EpisodeEdit::ForEachField(self.edit, visit);
    visit("lossless", self.lossless, Any{}, kLosslessHelp);
  }

  // "same" and the names of the layouts that can be written.
  static Limits SplitLayouts();
  void Validate() const;  // throws ConfigError
};

struct SplitPart {
  std::string name;
  int64_t num_episodes = 0;
  int64_t num_resumed = 0;  // of them written by an earlier start
  int64_t num_frames = 0;
  std::vector<std::string> episodes;  // names in the data set that was split
};

struct SplitReport {
  std::string from;
  std::string to;
  std::vector<SplitPart> parts;
  std::vector<std::string> lost;  // what the new layout cannot hold
  std::vector<Skipped> skipped;
};
// {"from", "to", "parts": {name: {"episodes", "resumed", "frames"}}, "lost", "damaged", "unfit"}
nlohmann::json ToJson(const SplitReport& report);

// Writes each part as a data set of its own, <out>/<name>, like RunConvert: whole or absent,
// --resume, report.json (which lists the episodes of each part), damaged ones left out and named.
// The parts depend on the run's seed and on the episodes' names, not on their order; episodes of
// the same pictures are in one part. Throws InputError if a part would be empty, ConfigError where
// more copies of an episode are there than a part may have, where the layout cannot be written, and
// for a run to go on with whose data or settings are others.
SplitReport RunSplit(const SplitOptions& options, RunContext& run);

}  // namespace aim
