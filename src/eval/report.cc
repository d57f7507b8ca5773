#include "aim/eval/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <sstream>
#include <tuple>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "aim/metrics/clip_quality.h"
#include "aim/metrics/statistics.h"

namespace aim {
namespace {

constexpr double kGateFloor = 0.9;  // below it a task's result says little about the policy

using Group = std::vector<const TrialRecord*>;

// Trials by task, in order of first appearance.
std::vector<std::pair<std::string, Group>> ByTask(const std::vector<TrialRecord>& trials) {
  std::vector<std::pair<std::string, Group>> tasks;
  for (const TrialRecord& trial : trials) {
    auto found = std::find_if(tasks.begin(), tasks.end(),
                              [&](const auto& task) { return task.first == trial.spec.task; });
    if (found == tasks.end()) found = tasks.insert(tasks.end(), {trial.spec.task, {}});
    found->second.push_back(&trial);
  }
  return tasks;
}

// NaN has no JSON: it becomes null.
nlohmann::json Number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

nlohmann::json RateJson(const std::vector<uint8_t>& outcomes) {
  const int n = static_cast<int>(outcomes.size());
  const int successes = static_cast<int>(std::count(outcomes.begin(), outcomes.end(), 1));
  return {{"n", n},
          {"successes", successes},
          {"rate", Number(successes / static_cast<double>(n))},
          {"interval", ToJson(WilsonInterval(successes, n))}};
}

nlohmann::json ToJson(const McNemarResult& test) {
  return {{"only_first", test.only_first},
          {"only_second", test.only_second},
          {"p", test.p_value},
          {"underpowered", test.underpowered}};
}

nlohmann::json ToJson(const MeanDifference& difference) {
  return {{"mean", difference.mean}, {"interval", ToJson(difference.interval)}};
}

std::vector<uint8_t> Outcomes(const Group& trials) {
  std::vector<uint8_t> outcomes;
  for (const TrialRecord* trial : trials) outcomes.push_back(trial->result.success);
  return outcomes;
}

std::vector<uint8_t> ReferenceOutcomes(const Group& trials, const std::string& reference) {
  std::vector<uint8_t> outcomes;
  for (const TrialRecord* trial : trials) {
    const auto found = trial->references.find(reference);
    if (found != trial->references.end()) outcomes.push_back(found->second.success);
  }
  return outcomes;
}

template <class Function>
std::vector<double> Collect(const Group& trials, Function&& value) {
  std::vector<double> values;
  for (const TrialRecord* trial : trials) {
    if (trial->result.termination != Termination::kInvalid) values.push_back(value(*trial));
  }
  return values;
}

nlohmann::json ExpertDistanceJson(const Group& trials) {
  std::vector<double> position_mm;
  std::vector<double> rotation_deg;
  std::vector<double> gripper;
  for (const TrialRecord* trial : trials) {
    if (!trial->distance) continue;
    position_mm.push_back(trial->distance->position_mm);
    rotation_deg.push_back(trial->distance->rotation_deg);
    gripper.push_back(trial->distance->gripper);
  }
  return {{"position_mm", Number(Median(position_mm))},
          {"rotation_deg", Number(Median(rotation_deg))},
          {"gripper", Number(Mean(gripper))}};
}

nlohmann::json TaskJson(const std::string& name, const Group& trials) {
  nlohmann::json task = RateJson(Outcomes(trials));
  task["task"] = name;
  std::map<std::string, int> terminations;
  int num_steps = 0;
  int num_ik_failures = 0;
  for (const TrialRecord* trial : trials) {
    ++terminations[ToWord(trial->result.termination)];
    num_steps += trial->result.env_steps;
    num_ik_failures += trial->result.ik_failures;
  }
  task["terminations"] = terminations;
  task["timeout_frac"] = terminations["timeout"] / static_cast<double>(trials.size());
  task["ik_failures"] = num_ik_failures;
  task["ik_fail_rate"] = num_steps == 0 ? 0 : num_ik_failures / static_cast<double>(num_steps);
  task["steps"] = Number(Mean(Collect(trials, [](auto& t) { return t.result.env_steps; })));
  task["replans"] = Number(Mean(Collect(trials, [](auto& t) { return t.result.replans; })));
  task["plan_s"] = Number(Mean(Collect(trials, [](auto& t) { return t.result.plan_s; })));
  task["demo_frames"] = Number(Mean(Collect(trials, [](auto& t) { return t.demo_frames; })));
  task["tracking_mm"] =
      Number(Median(Collect(trials, [](auto& t) { return t.result.tracking_mm; })));
  task["final_error_mm"] =
      Number(Median(Collect(trials, [](auto& t) { return t.result.final_error_mm; })));
  task["confidence"] =
      Number(Mean(Collect(trials, [](auto& t) { return t.result.confidence_mean; })));
  task["undecodable"] = Number(Mean(Collect(trials, [](auto& t) { return t.result.undecodable; })));
  task["to_expert"] = ExpertDistanceJson(trials);
  for (const char* reference : {"gate", "null", "still"}) {
    const std::vector<uint8_t> outcomes = ReferenceOutcomes(trials, reference);
    if (!outcomes.empty()) task[reference] = RateJson(outcomes);
  }
  if (task.contains("gate")) task["gate_ok"] = task["gate"]["rate"] >= kGateFloor;
  return task;
}

// Policy against null policy, on the trials that have both.
PairedTask AgainstNull(const Group& trials) {
  PairedTask pairs;
  for (const TrialRecord* trial : trials) {
    const auto found = trial->references.find("null");
    if (found == trial->references.end()) continue;
    pairs.first.push_back(trial->result.success);
    pairs.second.push_back(found->second.success);
  }
  return pairs;
}

// The test over the pairs of all tasks, and the difference in the mean over tasks.
nlohmann::json PooledTest(const std::vector<PairedTask>& tasks, Rng rng) {
  std::vector<uint8_t> first;
  std::vector<uint8_t> second;
  for (const PairedTask& task : tasks) {
    first.insert(first.end(), task.first.begin(), task.first.end());
    second.insert(second.end(), task.second.begin(), task.second.end());
  }
  nlohmann::json json = ToJson(McNemarExact(first, second));
  json["difference"] = ToJson(PairedBootstrap(tasks, rng));
  return json;
}

void AddNullTests(nlohmann::json& report, const std::vector<std::pair<std::string, Group>>& tasks,
                  const Rng& rng) {
  std::vector<PairedTask> pairs;
  std::vector<McNemarResult> tests;
  std::vector<double> p_values;
  for (const auto& [name, trials] : tasks) {
    pairs.push_back(AgainstNull(trials));
    if (pairs.back().first.empty()) return;
    tests.push_back(McNemarExact(pairs.back().first, pairs.back().second));
    p_values.push_back(tests.back().p_value);
  }
  const std::vector<double> corrected = HolmCorrection(p_values);
  for (size_t i = 0; i < tests.size(); ++i) {
    nlohmann::json test = ToJson(tests[i]);
    test["p_holm"] = corrected[i];
    report["tasks"][i]["versus_null"] = test;
  }
  report["versus_null"] = PooledTest(pairs, rng.Derive(0, "versus_null"));
}

void AddMeans(nlohmann::json& report) {
  std::vector<TaskCount> counts;
  std::vector<double> rates;
  std::vector<double> gated;
  for (const nlohmann::json& task : report["tasks"]) {
    rates.push_back(task["rate"]);
    counts.push_back({task["successes"], task["n"]});
    if (task.value("gate_ok", true)) gated.push_back(task["rate"]);
  }
  report["mean_success"] = Mean(rates);
  report["mean_success_interval"] = ToJson(MeanRateInterval(counts));
  report["mean_success_gated"] = Number(Mean(gated));
  for (const char* reference : {"gate", "null", "still"}) {
    std::vector<double> reference_rates;
    for (const nlohmann::json& task : report["tasks"]) {
      if (task.contains(reference)) reference_rates.push_back(task[reference]["rate"]);
    }
    if (!reference_rates.empty()) report[std::string("mean_") + reference] = Mean(reference_rates);
  }
}

// Does confidence tell successes from failures?
nlohmann::json ConfidenceJson(const Group& trials) {
  std::vector<double> of_success;
  std::vector<double> of_failure;
  std::vector<double> outcome;
  std::vector<double> confidence;
  for (const TrialRecord* trial : trials) {
    if (trial->result.termination == Termination::kInvalid) continue;
    const double mean = trial->result.confidence_mean;
    (trial->result.success ? of_success : of_failure).push_back(mean);
    outcome.push_back(trial->result.success);
    confidence.push_back(mean);
  }
  return {{"success_mean", Number(Mean(of_success))},
          {"failure_mean", Number(Mean(of_failure))},
          {"spearman_with_success", Number(SpearmanCorrelation(confidence, outcome))}};
}

nlohmann::json ControllerJson(const Group& trials) {
  std::vector<double> tracking_mm;
  std::vector<double> final_mm;
  for (const TrialRecord* trial : trials) {
    const auto gate = trial->references.find("gate");
    const TrialResult& result = gate == trial->references.end() ? trial->result : gate->second;
    if (result.termination == Termination::kInvalid) continue;
    tracking_mm.push_back(result.tracking_mm);
    final_mm.push_back(result.final_error_mm);
  }
  return {{"tracking_mm", Number(Median(tracking_mm))},
          {"final_mm", Number(Median(final_mm))},
          {"final_mm_p95", Number(Percentile(final_mm, 95))}};
}

nlohmann::json FilmstripsJson(const Group& trials) {
  nlohmann::json strips = nlohmann::json::array();
  for (const TrialRecord* trial : trials) {
    if (trial->filmstrip.empty()) continue;
    strips.push_back({{"file", trial->filmstrip},
                      {"videos", trial->videos},
                      {"task", trial->spec.task},
                      {"seed", trial->spec.seed},
                      {"variation", trial->spec.variation},
                      {"success", trial->result.success},
                      {"termination", ToWord(trial->result.termination)},
                      {"steps", trial->result.env_steps},
                      {"replans", trial->result.replans},
                      {"confidence", trial->result.confidence_mean},
                      {"prompt", trial->result.prompt}});
  }
  return strips;
}

nlohmann::json InvalidJson(const Group& trials) {
  nlohmann::json invalid = nlohmann::json::array();
  for (const TrialRecord* trial : trials) {
    if (trial->result.termination != Termination::kInvalid) continue;
    invalid.push_back({{"task", trial->spec.task},
                       {"seed", trial->spec.seed},
                       {"variation", trial->spec.variation},
                       {"error", trial->result.error}});
  }
  return invalid;
}

using OutcomeOfScene = std::map<std::tuple<std::string, int, uint64_t>, const TrialOutcome*>;

OutcomeOfScene ByScene(const TrialTable& table) {
  OutcomeOfScene outcomes;
  for (const TrialOutcome& row : table.rows) {
    outcomes[{row.spec.task, row.spec.variation, row.spec.seed}] = &row;
  }
  return outcomes;
}

std::string SceneName(const TrialSpec& scene) {
  return scene.task + " variation " + std::to_string(scene.variation) + " seed " +
         std::to_string(scene.seed);
}

}  // namespace

nlohmann::json MakeReport(const ReportSubject& subject, const std::vector<TrialRecord>& trials) {
  AIM_CHECK(!trials.empty());
  const std::vector<std::pair<std::string, Group>> tasks = ByTask(trials);
  Group all;
  for (const TrialRecord& trial : trials) all.push_back(&trial);
  const Rng rng(subject.seed);

  nlohmann::json report = {{"format", "aim-rollout-1"},   {"title", subject.title},
                           {"policy", subject.policy},    {"replan", subject.replan},
                           {"num_trials", trials.size()}, {"options", subject.options},
                           {"run", subject.run_record}};
  report["pooled"] = RateJson(Outcomes(all));
  report["tasks"] = nlohmann::json::array();
  for (const auto& [name, group] : tasks) report["tasks"].push_back(TaskJson(name, group));
  AddMeans(report);
  AddNullTests(report, tasks, rng);
  report["confidence"] = ConfidenceJson(all);
  report["controller"] = ControllerJson(all);
  report["to_expert"] = ExpertDistanceJson(all);
  report["filmstrips"] = FilmstripsJson(all);
  report["invalid"] = InvalidJson(all);
  int reruns = 0;
  for (const TrialRecord& trial : trials) reruns += trial.num_reruns;
  report["num_reruns"] = reruns;
  report["plan_s"] = Number(Mean(Collect(all, [](auto& t) { return t.result.plan_s; })));
  return report;
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
    if (outcomes.contains({scene.task, scene.variation, scene.seed})) continue;
    throw InputError({.where = where,
                      .got = "without " + SceneName(scene),
                      .expected = "the same scenes as this run",
                      .fix = fix});
  }
}

nlohmann::json CompareRollouts(const std::vector<TrialRecord>& trials, const TrialTable& other,
                               const std::string& where, uint64_t seed) {
  std::vector<TrialSpec> scenes;
  for (const TrialRecord& trial : trials) scenes.push_back(trial.spec);
  RequireSameScenes(scenes, other, where);
  const OutcomeOfScene outcomes = ByScene(other);
  std::vector<PairedTask> pairs;
  std::vector<uint8_t> of_other;
  for (const auto& [name, group] : ByTask(trials)) {
    PairedTask& task = pairs.emplace_back();
    for (const TrialRecord* trial : group) {
      const TrialSpec& scene = trial->spec;
      const TrialOutcome& found = *outcomes.at({scene.task, scene.variation, scene.seed});
      const bool valid = trial->result.termination != Termination::kInvalid && found.valid;
      if (valid && found.first_frame != HashText(trial->result.first_frame_hash)) {
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
  nlohmann::json json = PooledTest(pairs, Rng(seed).Derive(0, "compare"));
  json["where"] = where;
  json["policy"] = other.policy;
  json["other"] = RateJson(of_other);
  return json;
}

std::string ReportTable(const nlohmann::json& report) {
  const auto percent = [](const nlohmann::json& rate) {
    char text[16];
    std::snprintf(text, sizeof text, "%5.1f", 100 * rate.get<double>());
    return std::string(rate.is_null() ? "    -" : text);
  };
  const auto reference = [&](const nlohmann::json& task, const char* name) {
    return task.contains(name) ? percent(task[name]["rate"]) : std::string("    -");
  };
  std::ostringstream table;
  char line[256];
  std::snprintf(line, sizeof line, "%-24s %5s %8s  %-15s %6s %6s %6s %8s %4s\n", "task", "n",
                "success", "95 % interval", "gate", "null", "still", "timeouts", "IK");
  table << line;
  for (const nlohmann::json& task : report["tasks"]) {
    const std::string interval =
        "[" + percent(task["interval"][0]) + "," + percent(task["interval"][1]) + "]";
    std::snprintf(line, sizeof line, "%-24s %5d %7s%%  %-15s %6s %6s %6s %8d %4d\n",
                  task["task"].get<std::string>().c_str(), task["n"].get<int>(),
                  percent(task["rate"]).c_str(), interval.c_str(), reference(task, "gate").c_str(),
                  reference(task, "null").c_str(), reference(task, "still").c_str(),
                  task["terminations"].value("timeout", 0), task["ik_failures"].get<int>());
    table << line;
  }
  const nlohmann::json& bounds = report["mean_success_interval"];
  const auto mean = [&](const char* key) {
    return report.contains(key) ? percent(report[key]) : std::string("    -");
  };
  std::snprintf(line, sizeof line, "%-24s %5d %7s%%  %-15s %6s %6s %6s\n", "mean over tasks",
                report["num_trials"].get<int>(), percent(report["mean_success"]).c_str(),
                ("[" + percent(bounds[0]) + "," + percent(bounds[1]) + "]").c_str(),
                mean("mean_gate").c_str(), mean("mean_null").c_str(), mean("mean_still").c_str());
  table << line;
  return table.str();
}

}  // namespace aim
