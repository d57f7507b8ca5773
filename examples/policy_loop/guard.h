// What stands between a plan and a robot: a box, a speed, and reasons to stop.
#pragma once

#include <aim/base/error.h>
#include <aim/base/options.h>
#include <aim/control/motion_limits.h>
#include <aim/geometry/tool_pose.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

struct GuardOptions {
  std::vector<double> workspace_low = {0.2, -0.4, 0.0};
  std::vector<double> workspace_high = {0.7, 0.4, 0.6};
  double speed_m_s = 0.25;
  double turn_rad_s = 1.0;
  double observation_s = 0.5;
  double heartbeat_s = 1.0;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    using aim::Range;
    visit("workspace_low", self.workspace_low, Range{-10, 10}, "corner of the tip's box, m");
    visit("workspace_high", self.workspace_high, Range{-10, 10}, "the opposite corner, m");
    visit("speed_m_s", self.speed_m_s, Range{0.001, 2}, "of the tip, at most");
    visit("turn_rad_s", self.turn_rad_s, Range{0.01, 6}, "of the tool, at most");
    visit("observation_s", self.observation_s, Range{0.01, 60}, "stop if pictures are older");
    visit("heartbeat_s", self.heartbeat_s, Range{0.01, 60}, "stop if the heartbeat is older");
  }

  void Validate() const {
    aim::CheckRanges(*this, "guard");
    bool is_box = workspace_low.size() == 3 && workspace_high.size() == 3;
    for (size_t i = 0; is_box && i < 3; ++i) is_box = workspace_low[i] < workspace_high[i];
    if (is_box) return;
    throw aim::ConfigError({.where = "guard.workspace_low, workspace_high",
                            .got = "no box",
                            .expected = "three numbers each, the first below the second",
                            .fix = ""});
  }
};

class Guard {
 public:
  explicit Guard(GuardOptions options) : options_(std::move(options)) {
    options_.Validate();
    limits_.max_speed_m_s = options_.speed_m_s;
    for (size_t axis = 0; axis < 3; ++axis) {
      limits_.workspace.push_back(options_.workspace_low[axis]);
      limits_.workspace.push_back(options_.workspace_high[axis]);
    }
  }

  bool IsInside(const aim::ToolPose& pose) const {
    return !aim::LimitTarget(limits_, pose, pose, 1).by_workspace;
  }

  // Where the tool may be told to go next, `period_s` after `last`: towards what is wanted, inside
  // the box, on the straight way, no faster than is allowed. The gripper is as wanted.
  aim::ToolPose Allowed(const aim::ToolPose& last, const aim::ToolPose& wanted,
                        double period_s) const {
    aim::ToolPose target = aim::LimitTarget(limits_, last, wanted, period_s).pose;
    const double turn_rad = aim::Difference(last, target).rotation_rad;
    const double most_rad = options_.turn_rad_s * period_s;
    if (turn_rad > most_rad) {
      target.world_from_tool =
          aim::Interpolate(last.world_from_tool, target.world_from_tool, most_rad / turn_rad);
    }
    return target;
  }

  // Empty while nothing is wrong. Ages are infinite where there is nothing.
  std::string WhyStop(double observation_age_s, double heartbeat_age_s) const {
    const std::string why =
        WhyTooOld("the newest observation", observation_age_s, options_.observation_s);
    return why.empty() ? WhyTooOld("the heartbeat", heartbeat_age_s, options_.heartbeat_s) : why;
  }

 private:
  // What comes from the future would stay young for long: its clock is not ours.
  static constexpr double kMostAhead_s = 0.1;

  static std::string WhyTooOld(const char* what, double age_s, double most_s) {
    // Written so that an age that is no number stops, too.
    if (age_s >= -kMostAhead_s && age_s <= most_s) return "";
    const std::string name = what;
    if (!std::isfinite(age_s)) return name + " is not there";
    if (age_s < 0) return name + " is " + aim::ToText(-age_s) + " s ahead of this clock";
    return name + " is " + aim::ToText(age_s) + " s old; at most " + aim::ToText(most_s) +
           " s are allowed";
  }

  GuardOptions options_;
  aim::MotionLimits limits_;
};
