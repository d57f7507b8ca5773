// A policy without a network whose plans tell what it was asked, and that waits when it is told to.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "aim/control/clip_jobs.h"
#include "aim/control/policy.h"

namespace aim::testing {

// What tests of several threads share with their policy.
class Gate {
 public:
  void Close() {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  // Returns once `count` plans have begun.
  void WaitForPlans(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return prompts_.size() >= count; });
  }
  void Pass(const std::string& prompt) {
    std::unique_lock lock(mutex_);
    prompts_.push_back(prompt);
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void CountBatch(size_t size) {
    const std::lock_guard lock(mutex_);
    batches_.push_back(size);
  }
  std::vector<size_t> batches() {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  std::vector<std::string> prompts() {
    const std::lock_guard lock(mutex_);
    return prompts_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  std::vector<std::string> prompts_;
  std::vector<size_t> batches_;  // plans that were asked for together
};

// Plans actions that stand still but for the first two: there x is the seed, then the replan; y
// counts the views, z is the picture's width.
class GatedPolicy : public Policy {
 public:
  explicit GatedPolicy(Gate& gate, PolicyNeeds needs = {.image_size = 16,
                                                        .frame_period_s = 0.25,
                                                        .num_views = 2,
                                                        .num_frames = 3})
      : gate_(gate), needs_(needs) {}
  PolicyNeeds Needs() const override { return needs_; }
  void Reset(uint64_t) override {}
  Plan Act(const Clip& seen, const PlanRequest& request) override {
    gate_.Pass(seen.prompt);
    if (seen.prompt == "crash") throw std::runtime_error("secret of the server");
    std::vector<ToolPose> poses(static_cast<size_t>(needs_.num_frames), seen.poses[0]);
    const auto views = static_cast<double>(seen.views.size());
    poses[1].world_from_tool.translation = {static_cast<double>(request.seed), views,
                                            static_cast<double>(seen.width)};
    poses[2].world_from_tool.translation = {static_cast<double>(request.replan), 0, 0};
    return PlanFromPoses(poses, needs_.frame_period_s);
  }
  std::vector<Plan> ActTogether(const std::vector<Clip>& seen,
                                const std::vector<PlanRequest>& requests) override {
    gate_.CountBatch(seen.size());
    return Policy::ActTogether(seen, requests);
  }

 private:
  Gate& gate_;
  PolicyNeeds needs_;
};

// Makes of each clip what its job makes of it: videos whose bytes are the number of poses given,
// poses that step by one metre.
class CountingJobs : public ClipJobs {
 public:
  std::vector<std::string> Jobs() const override { return {"i2v", "i2va", "a2v", "v2a"}; }
  MadeClip Run(const std::string& job, const Clip& given, const PlanRequest&) override {
    constexpr size_t kFrames = 3;
    MadeClip made;
    if (job != "v2a") {
      const size_t bytes =
          kFrames * static_cast<size_t>(given.height) * static_cast<size_t>(given.width) * 3;
      made.videos.assign(given.views.size(),
                         std::vector<uint8_t>(bytes, static_cast<uint8_t>(given.poses.size())));
    }
    if (job == "v2a" || job == "i2va") {
      std::vector<ToolPose> poses(kFrames);
      for (size_t k = 0; k < kFrames; ++k)
        poses[k].world_from_tool.translation.x() = static_cast<double>(k);
      made.plan = PlanFromPoses(poses, 0.25);
    }
    return made;
  }
};

}  // namespace aim::testing
