#include <cstdio>
#include <optional>

#include "aim/eval/report.h"

namespace aim {
namespace {

std::string Percent(const std::optional<double>& rate) {
  if (!rate) return "    -";
  char text[16];
  std::snprintf(text, sizeof text, "%5.1f", 100 * *rate);
  return text;
}

std::string Percent(const std::optional<Rate>& rate) {
  return Percent(rate ? std::optional(rate->rate) : std::nullopt);
}

std::string Percent(const Interval& interval) {
  return "[" + Percent(interval.low) + "," + Percent(interval.high) + "]";
}

std::string Tested(const PairedTest& paired, double p_value) {
  const MeanDifference& difference = paired.difference;
  char line[128];
  std::snprintf(line, sizeof line, ": %+.1f points [%.1f, %.1f], p = %.2g%s\n",
                100 * difference.mean, 100 * difference.interval.low,
                100 * difference.interval.high, p_value,
                paired.test.underpowered ? " (too few pairs differ to tell)" : "");
  return line;
}

}  // namespace

std::string ReportTable(const RolloutReport& report) {
  if (report.imagination) return ImaginationTable(*report.imagination);
  char line[256];
  std::snprintf(line, sizeof line, "%-24s %5s %8s  %-15s %6s %6s %6s %8s %4s\n", "task", "n",
                "success", "95 % interval", "gate", "null", "still", "timeouts", "IK");
  std::string table = line;
  for (const TaskReport& task : report.tasks) {
    std::snprintf(line, sizeof line, "%-24s %5d %7s%%  %-15s %6s %6s %6s %8d %4d\n",
                  task.task.c_str(), task.success.n, Percent(task.success.rate).c_str(),
                  Percent(task.success.interval).c_str(), Percent(task.gate).c_str(),
                  Percent(task.null).c_str(), Percent(task.still).c_str(),
                  task.NumEndedBy(Termination::kTimeout), task.ik_failures);
    table += line;
  }
  std::snprintf(line, sizeof line, "%-24s %5d %7s%%  %-15s %6s %6s %6s\n", "mean over tasks",
                report.num_trials, Percent(report.mean_success).c_str(),
                Percent(report.mean_success_interval).c_str(), Percent(report.mean_gate).c_str(),
                Percent(report.mean_null).c_str(), Percent(report.mean_still).c_str());
  table += line;
  for (const CamerasReport& cameras : report.cameras) {
    std::snprintf(line, sizeof line, " %5d %7s%%  %-15s\n", cameras.pooled.n,
                  Percent(cameras.mean_success).c_str(),
                  Percent(cameras.mean_success_interval).c_str());
    const std::string name = "cameras " + cameras.cameras;
    table += name + std::string(name.size() < 24 ? 24 - name.size() : 0, ' ') + line;
  }
  for (const SensitivityReport& other : report.sensitivity) {
    table += "with " + other.variant + Tested(other.paired, other.p_holm);
  }
  for (const Comparison& other : report.compare) {
    table += "against " + other.where + Tested(other.paired, other.paired.test.p_value);
  }
  return table;
}

}  // namespace aim
