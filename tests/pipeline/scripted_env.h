// Demonstrations without a simulator: noise from (task, variation, seed), failing as a test wants.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "data/make_episode.h"
#include "eval/point_env.h"

namespace aim::testing {

// What the demonstrations of a test do and did; shared by the environments of all threads.
struct DemoScript {
  std::function<bool(uint64_t seed)> succeeds = [](uint64_t) { return true; };
  std::function<void(uint64_t seed)> before = [](uint64_t) {};
  EpisodeOptions shape = {.num_frames = 3};
  EnvIdentity identity = {.simulator = "script 1.0", .settings = {}};
  std::string without_expert;  // a task
  std::vector<std::string> default_tasks = {"reach", "stay"};
  std::mutex mutex;
  std::map<std::string, int> made;  // "task/variation/seed" -> how often
};

// The episode of ScriptedEnv; its poses are the commanded ones.
inline Episode ScriptedEpisode(const EpisodeOptions& shape, const std::string& task, int variation,
                               uint64_t seed) {
  Rng rng = Rng(seed).Derive(static_cast<uint64_t>(variation), task);
  return MakeEpisode(shape, rng);
}

class ScriptedEnv : public PointEnv {
 public:
  explicit ScriptedEnv(DemoScript& script) : script_(script) {}

  EnvIdentity Identity() const override { return script_.identity; }

  std::vector<std::string> DefaultTasks() const override { return script_.default_tasks; }

  Demonstration Demo(const std::string& task, int variation, uint64_t seed) override {
    script_.before(seed);
    {
      const std::lock_guard lock(script_.mutex);
      ++script_.made[task + "/" + std::to_string(variation) + "/" + std::to_string(seed)];
    }
    Episode episode = ScriptedEpisode(script_.shape, task, variation, seed);
    Demonstration demo;
    demo.commands = episode.clip.poses;
    demo.clip = std::move(episode.clip);
    demo.clip.poses = episode.measured;
    demo.success = script_.succeeds(seed);
    return demo;
  }

  int FramesWithoutExpert(const std::string& task) const override {
    return task == script_.without_expert ? 10 : 0;
  }

 private:
  DemoScript& script_;
};

}  // namespace aim::testing
