// Six trials of two tasks whose report can be worked out by hand.
#pragma once

#include <string>
#include <vector>

#include "aim/eval/trial_record.h"

namespace aim::testing {

struct SmallTrial {
  const char* task;
  bool success;
  bool gate;
  bool null;
  double confidence;
};

inline TrialResult SmallResult(bool success, int env_steps) {
  TrialResult result;
  result.success = success;
  result.env_steps = env_steps;
  result.termination = success ? Termination::kSuccess : Termination::kTimeout;
  result.prompt = "move, \"now\"";
  result.first_frame_hash = 0xABCDEF;
  result.tracking_mm = 2;
  result.final_error_mm = 1;
  result.plan_s = 0.5;
  result.stages_s = {{"denoise", 0.25}};
  return result;
}

// "reach" (four): 3 of 4, gate 4, null 1. "stay" (two): 1 of 2, gate 1, null 0; its second trial is
// invalid, without a distance, after a rerun.
inline std::vector<TrialRecord> SmallTrials() {
  const std::vector<SmallTrial> table{
      {"reach", true, true, false, 0.9}, {"reach", true, true, true, 0.8},
      {"reach", true, true, false, 0.7}, {"reach", false, true, false, 0.2},
      {"stay", true, true, false, 0.6},  {"stay", false, false, false, 0.0},
  };
  std::vector<TrialRecord> trials;
  for (const SmallTrial& row : table) {
    TrialRecord record;
    const int index = static_cast<int>(trials.size());
    record.trial = index % 4;
    record.spec = {row.task, index % 2, 100 + static_cast<uint64_t>(index)};
    record.result = SmallResult(row.success, 10 + index);
    record.result.replans = index;
    record.result.ik_failures = index == 3 ? 5 : 0;
    record.result.confidence_mean = row.confidence;
    record.result.undecodable = 0.25;
    record.references["gate"] = SmallResult(row.gate, 10);
    record.references["null"] = SmallResult(row.null, 10);
    record.demo_frames = 11;
    record.distance = {1.0 + index, 2.0 + index, 0.5};
    trials.push_back(record);
  }
  trials[0].filmstrip = "filmstrips/a.png";
  trials[0].videos = {"videos/a_view0.mp4"};
  TrialRecord& invalid = trials[5];
  invalid.result.termination = Termination::kInvalid;
  invalid.result.error = "simulator <gone> & lost";
  invalid.distance.reset();
  invalid.num_reruns = 1;
  return trials;
}

}  // namespace aim::testing
