#include "train/training_page.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "aim/base/memory.h"
#include "aim/base/text.h"
#include "aim/recipe/mode.h"
#include "aim/report/data_uri.h"
#include "aim/report/numbers.h"
#include "aim/report/template.h"
#include "train/training_charts.h"
#include "train/training_facts.h"

namespace aim {
namespace {

constexpr int kReloadEveryS = 60;
constexpr size_t kFewClips = 10;
constexpr int kSmallStripPx = 400;  // narrower ones are shown at twice their size

std::string StatusText(const TrainingState& state, int64_t num_steps) {
  const std::string step = std::to_string(state.train_step) + " of " + std::to_string(num_steps);
  switch (state.phase) {
    case RunPhase::kRunning:
      return "Running: step " + step + ". This page is written again at each checkpoint.";
    case RunPhase::kStopped:
      return "Stopped at step " + step + "; the same command with --resume goes on.";
    case RunPhase::kFinished:
      return "Finished. The model is in bundle/, every number in metrics.jsonl.";
  }
  return "";
}

nlohmann::json Fact(const std::string& value, const std::string& name) {
  return {{"value", value}, {"name", name}};
}

std::string WithUnit(const std::string& number, const std::string& unit) {
  return number == kNotMeasured ? number : number + unit;
}

nlohmann::json ProgressFacts(const TrainOptions& options, const RunHistory& history,
                             const TrainingState& state) {
  const bool is_known = !history.steps().empty();
  const RunHistory::Step last = is_known ? history.steps().back() : RunHistory::Step{};
  const double step_s = history.SecondsPerStep(options.batch_size);
  nlohmann::json facts = {
      Fact(is_known ? NumberText(last.loss, 4) : std::string(kNotMeasured), "loss, lately"),
      Fact(is_known ? NumberText(last.samples_per_s, 1) : std::string(kNotMeasured),
           "samples a second"),
      Fact(WithUnit(PercentText(last.data_wait, 1), " %"), "of the workers' time to fetch clips"),
      Fact(last.peak_memory_bytes ? MemoryText(static_cast<int64_t>(*last.peak_memory_bytes))
                                  : std::string(kNotMeasured),
           "of memory at most, in this process"),
      Fact(DurationText(history.TrainingSeconds(options.batch_size)), "for the steps so far"),
      Fact(DurationText(state.start_s),
           "since this start of the run, reading, encoding and validation included")};
  if (state.phase == RunPhase::kRunning) {
    const auto left = static_cast<double>(std::max<int64_t>(0, options.steps - state.train_step));
    facts.push_back(
        Fact(step_s > 0 ? "about " + DurationText(left * step_s) : std::string(kNotMeasured),
             "left, without validation"));
  }
  return facts;
}

// A dash where it was not measured.
std::string NumberAt(const nlohmann::json& mode, const char* place, int digits, double scale = 1) {
  return NumberText(MeasuredAt(mode, nlohmann::json::json_pointer(place)), digits, scale);
}

nlohmann::json ModeRow(const Mode& mode, const nlohmann::json& measured) {
  return {{"mode", mode.name},
          {"job", mode.job},
          {"clips", NumberAt(measured, "/clips", 0)},
          {"position_mm", NumberAt(measured, "/position_mm/median", 1)},
          {"position_p90_mm", NumberAt(measured, "/position_mm/p90", 1)},
          {"rotation_deg", NumberAt(measured, "/rotation_deg/median", 1)},
          {"gripper", NumberAt(measured, "/gripper_accuracy", 0, 100)},
          {"not_decodable", NumberAt(measured, "/not_decodable", 0, 100)},
          {"psnr_db", NumberAt(measured, "/psnr_db", 1)},
          {"static_psnr_db", NumberAt(measured, "/static_copy_psnr_db", 1)}};
}

// The newest validation, a row a mode.
nlohmann::json ValidationValues(const RunHistory& history, size_t num_held_out) {
  nlohmann::json rows = nlohmann::json::array();
  if (history.validations().empty()) {
    return {{"rows", rows},
            {"note", num_held_out == 0 ? "No episode is held out: nothing is measured."
                                       : "Nothing was measured yet."}};
  }
  const RunHistory::Validation& newest = history.validations().back();
  for (const Mode& mode : AllModes()) {
    if (newest.modes.contains(mode.name)) rows.push_back(ModeRow(mode, newest.modes[mode.name]));
  }
  const std::string clips = CountText(static_cast<int64_t>(num_held_out), "held-out clip");
  return {{"rows", rows},
          {"note", "Measured at step " + std::to_string(newest.train_step) + " on " + clips +
                       (num_held_out < kFewClips
                            ? ": few, so that small differences between numbers say nothing."
                            : ".")}};
}

nlohmann::json StripValues(const SampleStrip& strip, PageVideos& videos) {
  nlohmann::json rows = nlohmann::json::array();
  for (const SampleRow& row : strip.rows) {
    rows.push_back({{"label", row.label},
                    {"width", row.width_px < kSmallStripPx ? 2 * row.width_px : row.width_px},
                    {"picture", DataUri("image/png", row.png)}});
  }
  return {{"prompt", strip.prompt},
          {"has_result", !strip.result.empty()},
          {"result", strip.result},
          {"rows", std::move(rows)},
          {"has_video", !strip.video.empty()},
          {"videos", strip.video.empty() ? nlohmann::json::array()
                                         : videos.Values(std::vector<std::string>{strip.video})}};
}

nlohmann::json SampleValues(const TrainingState& state, PageVideos videos) {
  nlohmann::json modes = nlohmann::json::array();
  for (const Mode& mode : AllModes()) {
    const auto found = state.samples.find(mode.name);
    if (found == state.samples.end()) continue;
    nlohmann::json strips = nlohmann::json::array();
    for (const SampleStrip& strip : found->second) strips.push_back(StripValues(strip, videos));
    modes.push_back({{"mode", mode.name}, {"job", mode.job}, {"strips", std::move(strips)}});
  }
  return modes;
}

// Modes that there are held-out clips for.
size_t NumSampled(const TrainingSetup& setup) {
  const auto has_clips = [&](const std::string& name) {
    return setup.validation.CountFor(FindMode(name)) > 0;
  };
  return static_cast<size_t>(std::ranges::count_if(setup.config.trained_modes, has_clips));
}

std::string SamplesNote(const TrainingState& state, size_t num_modes, size_t num_held_out) {
  if (num_held_out == 0) return "No episode is held out to make samples of.";
  if (state.phase == RunPhase::kFinished && state.samples.size() == num_modes) return "";
  if (state.phase == RunPhase::kFinished) {
    return "Stopped before all samples were made; --resume makes them.";
  }
  return "Samples are made when the run is finished.";
}

}  // namespace

std::string TrainingPage(const TrainRunOptions& options, const RunContext& run,
                         const TrainingSetup& setup, const RunHistory& history,
                         const TrainingState& state) {
  const int64_t last_step = std::max<int64_t>(1, state.train_step);  // of the curves
  const bool is_running = state.phase == RunPhase::kRunning;
  const std::string charts = ValidationChartsHtml(history, last_step);
  const std::string samples_note = SamplesNote(state, NumSampled(setup), setup.validation.size());
  return RenderTemplate(
      "training", {{"title", "Training of " + run.common().out.string()},
                   {"reload_s", is_running ? nlohmann::json(kReloadEveryS) : nlohmann::json()},
                   {"status", StatusText(state, options.train.steps)},
                   {"train_step", state.train_step},
                   {"num_steps", options.train.steps},
                   {"facts", ProgressFacts(options.train, history, state)},
                   {"has_steps", !history.steps().empty()},
                   {"charts_html", StepChartsHtml(history, last_step)},
                   {"validation", ValidationValues(history, setup.validation.size())},
                   {"has_validation", !history.validations().empty()},
                   {"has_validation_charts", !charts.empty()},
                   {"validation_charts_html", charts},
                   {"has_samples_note", !samples_note.empty()},
                   {"samples_note", samples_note},
                   {"samples", SampleValues(state, PageVideos(run.out()))},
                   {"training_facts", TrainingFacts(options, run, setup)},
                   {"has_skipped", !setup.skipped.empty()},
                   {"skipped", ToJson(setup.skipped)},
                   {"record", DumpJson(OptionsToJson(options), 2)}});
}

}  // namespace aim
