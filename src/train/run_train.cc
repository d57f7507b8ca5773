#include "aim/train/run_train.h"

#include <ATen/Parallel.h>

#include <chrono>

#include "aim/base/log.h"
#include "aim/base/parallel.h"
#include "aim/base/text.h"
#include "aim/diffusion/validation.h"
#include "aim/train/schedule.h"
#include "train/checkpoints.h"
#include "train/metrics_file.h"
#include "train/training_setup.h"

namespace aim {
namespace {

constexpr const char* kBundle = "bundle";  // in the run's folder

using Clock = std::chrono::steady_clock;

// Means over the steps since the last line.
class Window {
 public:
  void Add(const StepReport& step) {
    loss_ += step.loss;
    grad_norm_ += step.grad_norm;
    ++num_steps_;
  }

  nlohmann::json Line(const StepReport& last, int64_t train_step, int batch_size) const {
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const auto count = static_cast<double>(num_steps_);
    return {{"train_step", train_step},
            {"loss", loss_ / count},
            {"grad_norm", grad_norm_ / count},
            {"lr", last.lr},
            {"samples_per_s", count * batch_size / seconds}};
  }

  void RestartClock() { start_ = Clock::now(); }

 private:
  double loss_ = 0;
  double grad_norm_ = 0;
  int64_t num_steps_ = 0;
  Clock::time_point start_ = Clock::now();
};

// The steps of one start of a run and what is written down between them.
class TrainingLoop {
 public:
  TrainingLoop(const TrainRunOptions& options, RunContext& run, TrainingSetup& setup)
      : options_(options.train),
        run_(run),
        setup_(setup),
        trainer_(Begin(options, run, setup)),
        metrics_(run.out() / "metrics.jsonl", trainer_.train_step()) {}

  // Ends at train.steps, or, with a checkpoint, when the run is asked to stop.
  void Run() {
    run_.progress().Start("train", std::max<int64_t>(0, options_.steps - trainer_.train_step()));
    ValidateIfDue();  // an earlier start may have ended just before it
    bool stops = false;
    while (!stops && trainer_.train_step() < options_.steps) {
      const StepReport step = trainer_.Step(*setup_.cache, comm_);
      stops = run_.stop_requested();
      window_.Add(step);
      if (IsDue(options_.log_every) || stops) {
        metrics_.Append(window_.Line(step, trainer_.train_step(), options_.batch_size));
        window_ = {};
      }
      run_.progress().Advance(1, "loss " + std::to_string(step.loss));
      if (IsDue(options_.checkpoint_every) || stops)
        SaveCheckpoint(trainer_, run_.out(), options_.keep_checkpoints);
      if (!stops) ValidateIfDue();
    }
    run_.progress().Finish();
  }

  TrainReport Report() const {
    TrainReport report;
    report.train_step = trainer_.train_step();
    report.finished = report.train_step >= options_.steps;
    const nlohmann::json last = metrics_.Last("loss");
    if (!last.is_null()) {
      report.loss = last["loss"];
      report.samples_per_s = last["samples_per_s"];
    }
    return report;
  }

  const WeightMap& weights() const { return trainer_.averaged_weights(); }

 private:
  static Trainer Begin(const TrainRunOptions& options, const RunContext& run,
                       TrainingSetup& setup) {
    Trainer trainer({setup.config.dit, std::move(setup.initial_weights), setup.text->Encode("")},
                    options.train, run.seed());
    setup.ReleaseEncoders();
    Resume(trainer, options.train.steps, run);
    return trainer;
  }

  bool IsDue(int64_t every) const {
    return trainer_.train_step() % every == 0 || trainer_.train_step() >= options_.steps;
  }

  void ValidateIfDue() {
    const int64_t step = trainer_.train_step();
    const nlohmann::json last = metrics_.Last("validation");
    const bool is_done = !last.is_null() && last["train_step"] == step;
    if (step == 0 || setup_.validation.empty() || is_done || !IsDue(options_.validate_every))
      return;
    metrics_.Append({{"train_step", step}, {"validation", Validate()}});
    setup_.ReleaseEncoders();
    window_.RestartClock();
  }

  nlohmann::json Validate() const {
    at::set_num_threads(NumProcessors());
    const Dit dit{setup_.config.dit, weights(), at::kFloat};
    const GeneratorModel model{&dit, setup_.autoencoder.get(), setup_.text.get(),
                               setup_.config.action_image, setup_.config.num_frames};
    GenerateOptions generate;
    generate.sampler.sampling.shift = setup_.config.diffusion.shift;
    nlohmann::json report;
    for (const std::string& mode : setup_.config.trained_modes) {
      report[mode] = ToJson(ValidateMode(model, FindMode(mode), setup_.validation, generate,
                                         Rng(run_.seed()).Derive(0, mode)));
    }
    return report;
  }

  const TrainOptions& options_;
  RunContext& run_;
  TrainingSetup& setup_;
  LocalComm comm_;
  Trainer trainer_;
  MetricsFile metrics_;
  Window window_;
};

void LogSchedule(const TrainOptions& options) {
  const Schedule schedule = FitSchedule(options);
  if (schedule.warmup_steps == options.warmup_steps && schedule.decay_steps == options.decay_steps)
    return;
  LogInfo("warm-up and decay are longer than the run of " + std::to_string(options.steps) +
          " steps: shortened to " + std::to_string(schedule.warmup_steps) + " and " +
          std::to_string(schedule.decay_steps) + " steps");
}

void WriteTrainedBundle(const TrainingSetup& setup, const WeightMap& weights,
                        const std::filesystem::path& out) {
  const std::filesystem::path path = out / kBundle;
  if (setup.initial_bundle.empty()) {
    WriteBundle(path, setup.config, weights, ReadFittedAutoencoder(out));
  } else {
    WriteBundle(path, setup.config, weights, setup.initial_bundle);
  }
}

void EndEarly(const TrainReport& report, RunContext& run) {
  run.MarkUnfinished();
  LogInfo("stopped at step " + std::to_string(report.train_step) +
          "; the same command with --resume goes on");
}

}  // namespace

nlohmann::json ToJson(const TrainReport& report) {
  return {{"train_step", report.train_step},       {"loss", report.loss},
          {"samples_per_s", report.samples_per_s}, {"finished", report.finished},
          {"bundle", report.bundle.string()},      {"skipped", ToJson(report.skipped)}};
}

std::ostream& operator<<(std::ostream& out, const TrainReport& report) {
  return out << DumpJson(ToJson(report));
}

TrainReport RunTrain(const TrainRunOptions& options, RunContext& run) {
  // Until the number is set, matrix products split their sums as they like, and a first run of a
  // process fits an autoencoder of other last bits than a second.
  at::set_num_threads(NumProcessors());
  TrainReport report;
  TrainingSetup setup = PrepareTraining(options, run);
  if (setup.cache) {
    LogSchedule(options.train);
    TrainingLoop loop(options, run, setup);
    loop.Run();
    report = loop.Report();
    if (report.finished) WriteTrainedBundle(setup, loop.weights(), run.out());
  }
  run.CommitOut();
  if (report.finished) report.bundle = run.out() / kBundle;
  report.skipped = setup.skipped;
  run.Note("skipped", ToJson(report.skipped));
  run.Note("train_step", report.train_step);
  if (!report.finished) EndEarly(report, run);
  return report;
}

}  // namespace aim
