// The smallest environment: a free point that has to reach a goal. For tests of the rollout loop.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "aim/control/env.h"
#include "aim/control/policy.h"

namespace aim::testing {

// What goes wrong, and how often.
struct PointFaults {
  std::function<void(const std::string& task, uint64_t seed)> on_reset = [](auto&&...) {};
  std::function<void()> on_render = [] {};
  int frames_without_expert = 0;
  EnvIdentity identity = {.simulator = "point 1.0", .settings = {}};
  std::string suite = {};                       // before the tasks' names
  std::vector<std::string> default_tasks = {};  // empty: all
  std::vector<std::string> more_tasks = {};
  double step_s = 0;      // what a step adds to the simulator's clock
  int lag_env_steps = 0;  // the point arrives this many steps after it was told to
};

class PointEnv : public Env {
 public:
  explicit PointEnv(PointFaults faults = {}) : faults_(std::move(faults)) {}

  EnvIdentity Identity() const override { return faults_.identity; }

  std::vector<std::string> Tasks() const override {
    std::vector<std::string> tasks = {faults_.suite + "reach", faults_.suite + "stay"};
    tasks.insert(tasks.end(), faults_.more_tasks.begin(), faults_.more_tasks.end());
    return tasks;
  }
  std::vector<std::string> DefaultTasks() const override {
    return faults_.default_tasks.empty() ? Tasks() : faults_.default_tasks;
  }
  int NumVariations(const std::string& task) const override {
    return task.ends_with("reach") ? 2 : 1;
  }

  Observation Reset(const std::string& task, int variation, uint64_t seed) override {
    faults_.on_reset(task, seed);
    task_ = task;
    Rng rng = Rng(seed).Derive(static_cast<uint64_t>(variation), task);
    start_ = {rng.Uniform(-0.1, 0.1), rng.Uniform(-0.1, 0.1), 0.3};
    goal_ = task.ends_with("stay")
                ? start_
                : Eigen::Vector3d(rng.Uniform(0.2, 0.4), rng.Uniform(-0.3, 0.3), 0.1);
    history_.assign(1, start_);
    time_s_ = 0;
    tip_ = start_;
    return See();
  }

  // Targets beyond one metre are out of reach.
  StepResult Step(const ToolPose& target) override {
    const Eigen::Vector3d& p = target.world_from_tool.translation;
    const bool out_of_reach = p.norm() > 1;
    history_.push_back(out_of_reach ? history_.back() : p);
    const size_t last = history_.size() - 1;
    const auto lag = static_cast<size_t>(faults_.lag_env_steps);
    tip_ = history_[last > lag ? last - lag : 0];
    time_s_ += faults_.step_s;
    return {See(), out_of_reach ? StepOutcome::kIkFailure : StepOutcome::kMoved};
  }

  bool Success() const override { return (tip_ - goal_).norm() < 0.01; }

  Demonstration Demo(const std::string& task, int variation, uint64_t seed) override {
    Demonstration demo;
    demo.clip.prompt = Reset(task, variation, seed).clip.prompt;
    for (int i = 0; i <= kDemoSteps; ++i) {
      const double fraction = static_cast<double>(i) / kDemoSteps;
      ToolPose pose;
      pose.world_from_tool.translation = start_ + fraction * (goal_ - start_);
      demo.commands.push_back(pose);
    }
    demo.clip.poses = demo.commands;
    demo.success = true;
    return demo;
  }

  Demonstration Plan(const std::string& task, int variation, uint64_t seed) override {
    Demonstration plan = Demo(task, variation, seed);
    plan.success = false;
    return plan;
  }

  void PlaceCameras(const CameraWish& wish) override { cameras_moved_deg_ = wish.moved_deg; }
  int FramesWithoutExpert(const std::string&) const override {
    return faults_.frames_without_expert;
  }

  std::vector<uint8_t> RenderReport(int view, int size) override {
    faults_.on_render();
    std::vector<uint8_t> rgb(static_cast<size_t>(size) * static_cast<size_t>(size) * 3, 200);
    rgb[0] = static_cast<uint8_t>(view);
    return rgb;
  }

  static constexpr int kDemoSteps = 10;

 private:
  Observation See() const {
    Observation observation;
    observation.time_s = time_s_;
    observation.clip.height = 8;
    observation.clip.width = 8;
    observation.clip.prompt = "go to the \"goal\", please";
    observation.clip.poses.resize(1);
    observation.clip.poses[0].world_from_tool.translation = tip_;
    for (int view = 0; view < 2; ++view) {
      Camera camera{8, 8, 8, 8, 4, 4, {}};
      camera.world_from_camera.translation = {0.2, 0.1 * view + 0.01 * cameras_moved_deg_, -1.5};
      ClipView seen;
      seen.camera = {.name = "view" + std::to_string(view), .frames = {camera}};
      seen.num_frames = 1;
      seen.rgb.assign(8 * 8 * 3, static_cast<uint8_t>(std::lround(255 * std::abs(goal_.y()))));
      observation.clip.views.push_back(std::move(seen));
    }
    return observation;
  }

  PointFaults faults_;
  double cameras_moved_deg_ = 0;
  double time_s_ = 0;
  std::string task_;
  Eigen::Vector3d start_ = Eigen::Vector3d::Zero();
  Eigen::Vector3d goal_ = Eigen::Vector3d::Zero();
  Eigen::Vector3d tip_ = Eigen::Vector3d::Zero();
  std::vector<Eigen::Vector3d> history_;
};

// Plans whatever a function says.
class FunctionPolicy : public Policy {
 public:
  using Function = std::function<Plan(const Clip&, const PlanRequest&)>;
  explicit FunctionPolicy(Function function, std::string identity = "")
      : function_(std::move(function)), identity_(std::move(identity)) {}
  std::string Identity() const override { return identity_; }
  void Reset(uint64_t) override {}
  Plan Act(const Clip& seen, const PlanRequest& request) override {
    return function_(seen, request);
  }

 private:
  Function function_;
  std::string identity_;
};

inline ToolPose PointPose(const Eigen::Vector3d& p_in_world) {
  ToolPose pose;
  pose.world_from_tool.translation = p_in_world;
  return pose;
}

}  // namespace aim::testing
