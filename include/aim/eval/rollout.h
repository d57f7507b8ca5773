// Closed-loop evaluation of a policy: paired trials, gate, null policies, report.
// docs/reference/formats.md 6.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/control/camera_wish.h"
#include "aim/control/env.h"
#include "aim/control/policy.h"
#include "aim/env/simulator.h"
#include "aim/eval/report.h"
#include "aim/recipe/imagination_options.h"
#include "aim/recipe/model_options.h"

namespace aim {

// Who acts: the model, a policy that needs none, or one behind a server at any such URL.
enum class PolicyKind { kModel, kReplay, kNull, kStill, kServer };
constexpr auto WordsOf(PolicyKind) {
  using enum PolicyKind;
  return WordTable<PolicyKind, 5>{{{kModel, "model"},
                                   {kReplay, "replay"},
                                   {kNull, "null"},
                                   {kStill, "still"},
                                   {kServer, "ws://HOST:PORT"}}};
}

// Which scene a trial has: seeds in a row, or the fork's hash of "task|variation|trial".
enum class SeedRule { kConsecutive, kBlake2b };
constexpr auto WordsOf(SeedRule) {
  using enum SeedRule;
  return WordTable<SeedRule, 2>{{{kConsecutive, "consecutive"}, {kBlake2b, "blake2b"}}};
}

struct RolloutOptions {
  ModelOptions model;
  std::string mode = "i2a";
  double budget_ms = 0;
  SimulatorOptions simulator;
  ImaginationOptions imagination;
  std::vector<std::string> cameras;
  std::vector<std::string> task;
  int episodes = 20;
  int variation = -1;
  std::string policy = "model";
  std::string api_key_file;
  int replan = 0;
  int ramp_frames = 0;
  int async = 0;
  double min_confidence = 0;
  SeedRule seed_rule = SeedRule::kConsecutive;
  int64_t first_seed = 1000000;
  double max_steps_factor = 1.5;
  int hold_steps = 8;
  int max_ik_failures = 5;
  MotionLimits limits;
  bool references = true;
  std::vector<std::string> compare;
  std::vector<std::string> sensitivity;
  int image_size = 0;
  double frame_period_s = 0;
  double camera_raise_deg = 0;
  int num_videos = 1;
  int picture_size = 192;
  int workers = 1;
  std::string shard;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    ModelOptions::ForEachField(self.model, visit);
    visit("mode", self.mode, Limits{"i2a", "i2va"},
          "what the model generates: act, or imagine and act");
    visit("budget_ms", self.budget_ms, Range{0, 1e6},
          "milliseconds that a plan may take: steps, cache and mode are chosen to meet it by what "
          "they take here, and named in the log; 0 = as the options say");
    SimulatorOptions::ForEachField(self.simulator, visit);
    ImaginationOptions::ForEachField(self.imagination, visit);
    visit("task", self.task, Any{},
          "task to run (repeatable); none = all of the simulator's; of tabletop the five that the "
          "shipped model was trained for");
    visit("episodes", self.episodes, Range{1, 1e6}, "trials a task");
    visit("variation", self.variation, Range{-1, 1e6},
          "variation of the task; -1 = trial number modulo their count");
    visit("policy", self.policy, Any{},
          "model, replay (the scene's own demonstration), null (another scene's), still, or "
          "ws://HOST:PORT of a policy server (aim-serve)");
    visit("api_key_file", self.api_key_file, Any{}, "file with the key that this server asks for");
    visit("replan", self.replan, Range{0, 10000},
          "frames executed before looking again; 0 = one plan, executed whole");
    visit("ramp_frames", self.ramp_frames, Range{0, 100},
          "first frames of a plan replaced by a ramp from the present pose");
    visit("async", self.async, Range{0, 10000},
          "plan while executing: a plan comes so many simulator steps after it was asked for; at "
          "most --replan; 0 = the simulator waits for it");
    visit("min_confidence", self.min_confidence, Range{0, 1},
          "planned frames below it repeat the last target");
    visit("seed_rule", self.seed_rule, Any{},
          "scene seed of a trial: consecutive (see --first-seed), or blake2b, a hash of "
          "task|variation|trial modulo 10^6, plus 1");
    visit("first_seed", self.first_seed, Range{0, 1e15},
          "scene seed of trial i is first_seed + 100000 * (--seed) + i; training seeds are lower");
    visit("max_steps_factor", self.max_steps_factor, Range{0.1, 100},
          "budget of simulator time, in lengths of the scene's demonstration");
    visit("hold_steps", self.hold_steps, Range{0, 10000},
          "simulator steps the last pose of a whole plan is held before success is judged");
    visit("max_ik_failures", self.max_ik_failures, Range{1, 10000},
          "unreachable targets in a row that end a trial");
    MotionLimits::ForEachField(self.limits, visit);
    visit("references", self.references, Any{},
          "run the gate and the null policies beside the policy, on the same seeds");
    visit("compare", self.compare, Any{},
          "folder of an earlier rollout on the same seeds to test against (repeatable)");
    visit(
        "sensitivity", self.sensitivity, Any{},
        "plays every scene once more with one of the harness's knobs turned: KEY=VALUE of replan, "
        "ramp_frames, hold_steps, max_ik_failures, async, max_steps_factor or min_confidence, or "
        "all, the usual values of each (repeatable)");
    visit("image_size", self.image_size, Range{0, 4096},
          "camera pictures, pixels; 0 = what the model was trained for, else 64");
    visit("frame_period_s", self.frame_period_s, Range{0, 10},
          "seconds between pose targets; 0 = what the model was trained for, else 0.12");
    visit("cameras", self.cameras, Any{},
          std::string(kCameraWishHelp) +
              "; repeatable: each plays every scene, the report's tables show the first; none = "
              "as-trained");
    visit("camera_raise_deg", self.camera_raise_deg, Range{-25, 25},
          "degrees by which the cameras look down more steeply than usual");
    visit("num_videos", self.num_videos, Range{0, 1000},
          "successes and failures of each task that get videos and a filmstrip");
    visit("picture_size", self.picture_size, Range{32, 2048}, "side of those pictures, pixels");
    visit("workers", self.workers, Range{1, 1024},
          "simulators that play trials at the same time; the results are those of one");
    visit("shard", self.shard, Any{},
          "i/n: play only trials i, i + n, ... (i from 0), as one of n rollouts; aim-rollout merge "
          "makes one of them");
  }
  PolicyKind Kind() const;  // of `policy`; throws ConfigError if it is none
  bool IsImagined() const { return simulator.env == kImaginedEnv; }
  void Validate() const;  // throws ConfigError

 private:
  void ValidateImagination() const;
};

// How a rollout gets what it does not know: a simulator by options, and the model's policy. Each
// worker has a simulator and a policy of its own; they are used at the same time.
struct RolloutParts {
  std::function<std::unique_ptr<Env>(const EnvOptions&)> make_env;  // empty: chosen by options.env
  std::function<std::unique_ptr<Env>(const EnvOptions&)> make_imagined_env;  // empty: none is built
  std::function<std::unique_ptr<Policy>()> make_model_policy;                // the same
  std::function<std::unique_ptr<Policy>(const std::string& url)> connect;    // the same
};

// Plays `episodes` trials of each task and writes to run.out(): episodes.csv, gate.csv, null.csv,
// still.csv, report.json, report.html, filmstrips/, videos/ and trials/ (one file a trial, from
// which --resume goes on). Deterministic in options and run.seed(), wall times aside; the number of
// workers changes nothing. A trial that throws is run once more with the same seed; if it throws
// again it counts as a failure and is listed as invalid. ToJson of the report is report.json.
// Nothing is returned and no table written if run.RequestStop() came first: the trials under way
// were finished, and all are kept. Throws ConfigError for options that do not fit together or an
// environment, task or policy that does not exist.
//
// Where a model imagines what is seen (--env model) there is no success: no references are played,
// no pose is held at the end, and tables and report are those of eval/imagination.h.
std::optional<RolloutReport> RunRollout(const RolloutOptions& options, RunContext& run,
                                        const RolloutParts& parts = {});

// Policy::Identity() of the rollout in run.out() that a run with --resume goes on with; empty if it
// had none, or begins anew.
std::string ServedBefore(const RunContext& run);

}  // namespace aim
