#include "train/run_history.h"

namespace aim {

using nlohmann::literals::operator""_json_pointer;

namespace {

template <class Points>
void DropLater(Points& points, int64_t train_step) {
  while (!points.empty() && points.back().train_step > train_step) points.pop_back();
}

bool IsCount(const nlohmann::json& line, const char* key) {
  return line.is_object() && line.contains(key) && line[key].is_number_integer();
}

double NumberIn(const nlohmann::json& line, const char* key) {
  return line.contains(key) && line[key].is_number() ? line[key].get<double>() : 0.0;
}

}  // namespace

std::optional<double> MeasuredAt(const nlohmann::json& mode,
                                 const nlohmann::json::json_pointer& place) {
  if (!mode.contains(place) || !mode.at(place).is_number()) return std::nullopt;
  return mode.at(place).get<double>();
}

void RunHistory::Add(const nlohmann::json& line) {
  if (IsCount(line, "resumed_at_step")) DropAfter(line["resumed_at_step"]);
  if (!IsCount(line, "train_step")) return;
  const int64_t train_step = line["train_step"];
  if (line.contains("validation")) validations_.push_back({train_step, line["validation"]});
  if (!line.contains("loss")) return;
  steps_.push_back({.train_step = train_step,
                    .loss = NumberIn(line, "loss"),
                    .grad_norm = NumberIn(line, "grad_norm"),
                    .lr = NumberIn(line, "lr"),
                    .samples_per_s = NumberIn(line, "samples_per_s"),
                    .data_wait = MeasuredAt(line, "/data_wait"_json_pointer),
                    .peak_memory_bytes = MeasuredAt(line, "/peak_memory_bytes"_json_pointer),
                    .loss_of_mode = line.value("loss_of_mode", nlohmann::json::object()),
                    .loss_of_noise = line.value("loss_of_noise", nlohmann::json::object())});
}

void RunHistory::DropAfter(int64_t train_step) {
  DropLater(steps_, train_step);
  DropLater(validations_, train_step);
}

double RunHistory::TrainingSeconds(int batch_size) const {
  double seconds = 0;
  int64_t before = 0;
  for (const Step& step : steps_) {
    const auto samples = static_cast<double>((step.train_step - before) * batch_size);
    if (step.samples_per_s > 0) seconds += samples / step.samples_per_s;
    before = step.train_step;
  }
  return seconds;
}

double RunHistory::SecondsPerStep(int batch_size) const {
  if (steps_.empty() || steps_.back().samples_per_s <= 0) return 0;
  return batch_size / steps_.back().samples_per_s;
}

}  // namespace aim
