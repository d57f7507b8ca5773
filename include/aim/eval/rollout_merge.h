// The shards of a rollout as the one rollout that they are parts of.
#pragma once

#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/eval/report.h"

namespace aim {

struct RolloutMergeOptions {
  std::vector<std::string> folders;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("folders", self.folders, Any{}, "folders of the shards (aim-rollout --shard)");
  }
};

// Writes to run.out() what one rollout of all trials would have: tables, report, pictures and
// trials/, from which --resume goes on; times are summed. Throws InputError, naming folder and
// trials, for a shard that is not finished, was played with other settings or of another model, or
// where trials are missing or there twice.
RolloutReport RunRolloutMerge(const RolloutMergeOptions& options, RunContext& run);

}  // namespace aim
