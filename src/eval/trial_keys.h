// Which trials a rollout has, in the order in which its tables list them.
#pragma once

#include <string>
#include <vector>

#include "aim/eval/trial.h"

namespace aim {

struct TrialKey {
  std::string task;
  int trial = 0;
  std::string cameras = kUsualCameras;  // as --cameras has them
  std::string variant = {};             // what differs from the rollout's options, KEY=VALUE

  bool operator==(const TrialKey&) const = default;
};

struct TrialRange {
  std::vector<std::string> tasks;
  int episodes = 0;
  std::vector<std::string> cameras;
  std::vector<std::string> variants = {};  // each with the first cameras
};

std::vector<TrialKey> ListTrials(const TrialRange& range);

// Of the trial's files: "reach_target_3", "reach_target_3_moved_30".
std::string FileStem(const TrialKey& key);

// "goal_open_the_drawer" of the task "goal/open_the_drawer".
std::string TaskFileName(const std::string& task);

// What follows a name that tells task and trial otherwise: "", "_moved_30".
std::string FileNameEnd(const std::string& cameras);

// For messages: "reach_target trial 3", "... with cameras moved:30".
std::string NameOf(const TrialKey& key);

}  // namespace aim
