// Rollouts of a free point, small enough to be worked out by hand.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/log.h"
#include "aim/eval/rollout.h"
#include "eval/point_env.h"
#include "support/temporary_folder.h"

namespace aim::testing {

class RolloutTest : public ::testing::Test {
 protected:
  RolloutTest() { SetLogLevel(LogLevel::kError); }

  RunContext Context(const std::string& name, bool resume = false, uint64_t seed = 0) const {
    CommonOptions common;
    common.out = folder_ / name;
    common.resume = resume;
    common.seed = seed;
    return RunContext(common);
  }

  // A model that does nothing: it fails in "reach" and succeeds in "stay".
  static RolloutParts Parts(const PointFaults& faults = {}) {
    RolloutParts parts;
    parts.make_env = [faults](const EnvOptions&) { return std::make_unique<PointEnv>(faults); };
    parts.make_model_policy = [] {
      return std::make_unique<FunctionPolicy>([](const Clip& seen, const PlanRequest&) {
        return PlanFromPoses({seen.poses[0], seen.poses[0]}, 0.12);
      });
    };
    return parts;
  }

  // The content of report.json.
  nlohmann::json Roll(const std::string& name, const RolloutOptions& options,
                      const PointFaults& faults = {}, bool resume = false) const {
    RunContext run = Context(name, resume);
    return ToJson(RunRollout(options, run, Parts(faults)).value());
  }

  std::string Text(const std::string& path) const { return ReadFile(folder_ / path); }

  TemporaryFolder folder_;
};

inline RolloutOptions SmallOptions(const std::string& policy) {
  RolloutOptions options;
  options.policy = policy;
  options.model.model = "bundle";
  options.episodes = 4;
  options.num_videos = 0;
  return options;
}

inline std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace aim::testing
