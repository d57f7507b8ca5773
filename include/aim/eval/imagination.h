// What is told of trials that a model imagined (--env model). docs/reference/formats.md 9.8.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "aim/eval/trial_record.h"

namespace aim {

inline constexpr const char* kImaginationFormat = "aim-imagination-1";  // of report.json

// First plans from what the scripted expert did, or what was recorded.
struct ExpertDistance {
  std::optional<double> position_mm;   // median over trials
  std::optional<double> rotation_deg;  // the same
  std::optional<double> gripper;       // mean fraction of frames with the expert's gripper
};

// Steps of which a model that labels videos said which pose their pictures show.
struct LabelledSteps {
  int n = 0;
  double confidence = 0;          // mean; a step without a pose counts as 0
  double undecodable = 0;         // fraction of steps without a pose
  std::optional<double> off_mm;   // from the commanded tip, median
  std::optional<double> off_deg;  // the same of its rotation
};

// Valid trials alone.
struct ImaginedTask {
  std::string task;
  int n = 0;
  int num_invalid = 0;
  std::optional<double> steps;  // mean
  std::optional<double> replans;
  std::optional<double> confidence;   // of the plans
  std::optional<double> undecodable;  // fraction of planned frames
  ExpertDistance to_recorded;
  std::optional<LabelledSteps> labelled;
};

// Whether pictures get worse with what was imagined before them.
struct ImaginedDrift {
  int step = 0;
  LabelledSteps labelled;
};

struct ImaginationReport {
  std::vector<ImaginedTask> tasks;
  std::vector<ImaginedDrift> drift;  // by step; empty without labels
};

ImaginationReport ReportImagination(const std::vector<TrialRecord>& trials);
nlohmann::json ToJson(const ImaginationReport& report);

// episodes.csv: one row a trial, in order, without a column of success.
std::string ImaginedCsv(const std::vector<TrialRecord>& trials, const std::string& policy);

// The table of tasks as plain text, for a terminal.
std::string ImaginationTable(const ImaginationReport& report);

}  // namespace aim
