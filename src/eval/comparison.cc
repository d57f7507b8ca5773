#include "aim/eval/comparison.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "eval/task_groups.h"

namespace aim {
namespace {

using SceneKey = std::tuple<std::string, int, uint64_t, std::string>;
using OutcomeOfScene = std::map<SceneKey, const TrialOutcome*>;

SceneKey KeyOf(const TrialSpec& scene) {
  return {scene.task, scene.variation, scene.seed, scene.cameras};
}

OutcomeOfScene ByScene(const TrialTable& table) {
  OutcomeOfScene outcomes;
  for (const TrialOutcome& row : table.rows) {
    outcomes[KeyOf(row.spec)] = &row;
  }
  return outcomes;
}

std::string SceneName(const TrialSpec& scene) {
  return scene.task + " variation " + std::to_string(scene.variation) + " seed " +
         std::to_string(scene.seed) +
         (scene.cameras == kUsualCameras ? "" : " cameras " + scene.cameras);
}

}  // namespace

Rate RateOf(const std::vector<uint8_t>& outcomes) {
  AIM_CHECK(!outcomes.empty());
  Rate rate;
  rate.n = static_cast<int>(outcomes.size());
  rate.successes = static_cast<int>(std::count(outcomes.begin(), outcomes.end(), 1));
  rate.rate = rate.successes / static_cast<double>(rate.n);
  rate.interval = WilsonInterval(rate.successes, rate.n);
  return rate;
}

PairedTest TestPairs(const std::vector<PairedTask>& tasks, Rng rng) {
  std::vector<uint8_t> first;
  std::vector<uint8_t> second;
  for (const PairedTask& task : tasks) {
    first.insert(first.end(), task.first.begin(), task.first.end());
    second.insert(second.end(), task.second.begin(), task.second.end());
  }
  return {McNemarExact(first, second), PairedBootstrap(tasks, rng)};
}

nlohmann::json ToJson(const Rate& rate) {
  return {{"n", rate.n},
          {"successes", rate.successes},
          {"rate", rate.rate},
          {"interval", ToJson(rate.interval)}};
}

nlohmann::json ToJson(const PairedTest& paired) {
  nlohmann::json json = ToJson(paired.test);
  json["difference"] = {{"mean", paired.difference.mean},
                        {"interval", ToJson(paired.difference.interval)}};
  return json;
}

nlohmann::json ToJson(const Comparison& comparison) {
  nlohmann::json json = ToJson(comparison.paired);
  json["where"] = comparison.where;
  json["policy"] = comparison.policy;
  json["other"] = ToJson(comparison.other);
  return json;
}

void RequireSameScenes(const std::vector<TrialSpec>& scenes, const TrialTable& other,
                       const std::string& where) {
  const char* fix = "compare rollouts with equal --task, --episodes and seeds";
  const OutcomeOfScene outcomes = ByScene(other);
  if (outcomes.size() != scenes.size()) {
    throw InputError({.where = where,
                      .got = std::to_string(outcomes.size()) + " trials long",
                      .expected = std::to_string(scenes.size()) + ", the same scenes as this run",
                      .fix = fix});
  }
  for (const TrialSpec& scene : scenes) {
    if (outcomes.contains(KeyOf(scene))) continue;
    throw InputError({.where = where,
                      .got = "without " + SceneName(scene),
                      .expected = "the same scenes as this run",
                      .fix = fix});
  }
}

Comparison CompareRollouts(const std::vector<TrialRecord>& trials, const TrialTable& other,
                           const std::string& where, uint64_t seed) {
  std::vector<TrialSpec> scenes;
  scenes.reserve(trials.size());
  for (const TrialRecord& trial : trials) scenes.push_back(trial.spec);
  RequireSameScenes(scenes, other, where);
  const OutcomeOfScene outcomes = ByScene(other);
  std::vector<PairedTask> pairs;
  std::vector<uint8_t> of_other;
  for (const auto& [name, group] : ByTask(trials)) {
    PairedTask& task = pairs.emplace_back();
    for (const TrialRecord* trial : group) {
      const TrialSpec& scene = trial->spec;
      const TrialOutcome& found = *outcomes.at(KeyOf(scene));
      const bool valid = trial->result.termination != Termination::kInvalid && found.valid;
      if (valid && found.first_frame != HexText(trial->result.first_frame_hash)) {
        throw InputError({.where = where,
                          .got = "made from other pictures of " + SceneName(scene),
                          .expected = "the same first frame",
                          .fix = "use equal --image-size and simulator versions"});
      }
      task.first.push_back(trial->result.success);
      task.second.push_back(found.success);
      of_other.push_back(found.success);
    }
  }
  return {.where = where,
          .policy = other.policy,
          .other = RateOf(of_other),
          .paired = TestPairs(pairs, Rng(seed).Derive(0, "compare"))};
}

}  // namespace aim
