// What a run has measured so far, each step once.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

namespace aim {

// A number of a mode's validation; nothing where it is absent or null.
std::optional<double> MeasuredAt(const nlohmann::json& mode,
                                 const nlohmann::json::json_pointer& place);

class RunHistory {
 public:
  // Means over the steps since the point before.
  struct Step {
    int64_t train_step = 0;
    double loss = 0;
    double grad_norm = 0;
    double lr = 0;
    double samples_per_s = 0;
    std::optional<double> data_wait = {};          // share of the workers' time
    std::optional<double> peak_memory_bytes = {};  // of the process so far
    nlohmann::json loss_of_mode = {};              // {mode: loss}
    nlohmann::json loss_of_noise = {};             // {range of sigma: loss}
  };
  struct Validation {
    int64_t train_step = 0;
    nlohmann::json modes;  // {mode: ToJson(QualitySummary)}
  };

  // A line of metrics.jsonl. {"resumed_at_step": N} takes back what is of later steps: it belongs
  // to an attempt that was cut off. Other lines are passed over.
  void Add(const nlohmann::json& line);

  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<Validation>& validations() const { return validations_; }

  // Seconds that the steps themselves took, over all starts of the run; and those of one, lately.
  double TrainingSeconds(int batch_size) const;
  double SecondsPerStep(int batch_size) const;  // 0 if nothing is known

 private:
  void DropAfter(int64_t train_step);

  std::vector<Step> steps_;
  std::vector<Validation> validations_;
};

}  // namespace aim
