// What a rollout keeps of a trial, and the tables it writes of many.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "aim/eval/trial.h"

namespace aim {

// How far a policy's first plan is from what the scripted expert did in the same scene.
struct PlanDistance {
  double position_mm = 0;  // median over the frames both have
  double rotation_deg = 0;
  double gripper = 0;  // fraction of frames with the same side of half open
};
PlanDistance DistanceToExpert(const TimedPlan& first_plan, const Demonstration& demo,
                              double period_s);

// One scene and everything that acted in it. Policies are named "gate" (replay of the scene's own
// demonstration), "null" (of another scene's), "still" and, under its own name, the one asked for.
struct TrialRecord {
  int trial = 0;
  TrialSpec spec;
  std::string variant = {};  // what differed from the rollout's options, KEY=VALUE; empty = nothing
  TrialResult result;        // of the policy asked for
  std::map<std::string, TrialResult> references;
  int num_reruns = 0;  // tries that threw before this one
  int demo_frames = 0;
  std::optional<PlanDistance> distance;
  std::string filmstrip;            // relative to the rollout's folder; empty = none
  std::vector<std::string> videos;  // the same, one a view
};

nlohmann::json ToJson(const TrialRecord& record);
// Throws FormatError naming `where`.
TrialRecord TrialRecordFromJson(const nlohmann::json& json, const std::string& where);

// episodes.csv: one row a trial without a variant, in order, with the columns
// task,variation,seed,success,steps,replans,ik_failures,termination,policy,...; no wall times.
std::string TrialsCsv(const std::vector<TrialRecord>& trials, const std::string& policy);
// The same table of a reference policy, of the trials that have it.
std::string ReferenceCsv(const std::vector<TrialRecord>& trials, const std::string& reference);

// What another rollout is compared by. Throws InputError, FormatError naming the file.
struct TrialOutcome {
  TrialSpec spec;
  bool success = false;
  bool valid = true;
  std::string first_frame;
};
struct TrialTable {
  std::string policy;
  std::vector<TrialOutcome> rows;
};
TrialTable ReadTrialsCsv(const std::filesystem::path& path);

}  // namespace aim
