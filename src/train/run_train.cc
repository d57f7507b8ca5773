#include "aim/train/run_train.h"

#include <ATen/Parallel.h>
#include <c10/core/DeviceGuard.h>

#include <cmath>
#include <functional>
#include <map>

#include "aim/base/atomic_file.h"
#include "aim/base/log.h"
#include "aim/base/parallel.h"
#include "aim/base/text.h"
#include "aim/diffusion/guidance_memory.h"
#include "aim/diffusion/validation.h"
#include "aim/train/launch.h"
#include "aim/train/schedule.h"
#include "aim/train/training_memory.h"
#include "train/best_validation.h"
#include "train/checkpoints.h"
#include "train/event_file.h"
#include "train/metrics_file.h"
#include "train/rank_start.h"
#include "train/rank_watch.h"
#include "train/sample_strips.h"
#include "train/stopwatch.h"
#include "train/trained_bundle.h"
#include "train/training_page.h"
#include "train/training_setup.h"

namespace aim {
namespace {

constexpr size_t kSampleClips = 2;

// Means over the steps since the last line.
class Window {
 public:
  void Add(const StepReport& step) {
    ++num_steps_;
    data_s_ += step.data_s;
    work_s_ += step.work_s;
    if (step.is_lost) {
      ++num_lost_;
      return;
    }
    loss_ += step.loss;
    grad_norm_ += step.grad_norm;
    losses_.Add(step.losses);
  }

  nlohmann::json Line(const StepReport& last, int64_t train_step, int batch_size,
                      const TrainingDevice& device) const {
    const double seconds = SecondsSince(start_);
    const auto count = static_cast<double>(num_steps_ - num_lost_);
    nlohmann::json line = {
        {"train_step", train_step},
        {"loss", loss_ / count},  // null in the file where all were lost
        {"grad_norm", grad_norm_ / count},
        {"lr", last.lr},
        {"samples_per_s", static_cast<double>(num_steps_) * batch_size / seconds},
        {"peak_memory_bytes", PeakMemoryBytes()}};
    if (!device.device.is_cpu()) line["peak_device_bytes"] = PeakBytes(device.device);
    if (data_s_ + work_s_ > 0) line["data_wait"] = data_s_ / (data_s_ + work_s_);
    line.update(losses_.Means());
    if (num_lost_ > 0) line["lost_steps"] = num_lost_;
    return line;
  }

  // What was done since `begin` is no part of the steps.
  void LeaveOut(Clock::time_point begin) { start_ += Clock::now() - begin; }

 private:
  double loss_ = 0;
  double grad_norm_ = 0;
  int64_t num_steps_ = 0;
  int64_t num_lost_ = 0;
  double data_s_ = 0;
  double work_s_ = 0;
  LossTally losses_;
  Clock::time_point start_ = Clock::now();
};

SampleSize SampleOf(const TrainingSetup& setup) {
  return LargestSample(*setup.cache, setup.config.dit, setup.config.trained_modes);
}

// The steps of one start of a run and what is written down between them.
class TrainingLoop {
 public:
  TrainingLoop(const TrainRunOptions& options, RunContext& run, TrainingSetup& setup,
               const TrainingDevice& device, Comm& comm, Clock::time_point begin)
      : run_options_(options),
        options_(options.train),
        run_(run),
        begin_(begin),
        setup_(setup),
        comm_(comm),
        device_(device),
        trainer_(Begin(options, run, setup, comm, device_)),
        checkpoints_(run.out(), options.train),
        best_step_(BestStep(run.out())),
        metrics_(run.out() / "metrics.jsonl", trainer_.train_step()),
        events_(run.out(), trainer_.train_step()) {
    // That of a start which got further than its last checkpoint is made up again.
    if (best_step_ && *best_step_ > trainer_.train_step()) best_step_.reset();
    if (best_step_) checkpoints_.KeepBest(*best_step_);
  }

  // Ends at train.steps, or, with a checkpoint, when the run is asked to stop.
  void Run() {
    const std::string out = run_.out().string();
    LogInfo(out + "/report.html shows how it goes, as does tensorboard --logdir " + out +
            (run_.out() == run_.common().out ? "" : "; renamed to --out when the run is whole"));
    run_.progress().Start("train", std::max<int64_t>(0, options_.steps - trainer_.train_step()));
    WritePage(RunPhase::kRunning);
    ValidateIfDue();  // an earlier start may have ended just before it
    window_ = {};
    bool stops = false;
    while (!stops && trainer_.train_step() < options_.steps) {
      checkpoints_.ThrowIfFailed();
      SendOrder(RankOrder::kStep, comm_);
      const StepReport step = trainer_.Step(*setup_.cache, comm_, run_.stop_requested());
      stops = step.stops;
      window_.Add(step);
      ranks_.Add(step.rank_times);
      if (IsDue(options_.log_every) || stops) {
        nlohmann::json line =
            window_.Line(step, trainer_.train_step(), options_.batch_size, device_);
        JudgeRanks(line);
        Append(line);
        window_ = {};
      }
      run_.progress().Advance(1, "loss " + std::to_string(step.loss));
      const Clock::time_point between = Clock::now();
      if (IsDue(options_.checkpoint_every) || stops) {
        SaveCheckpoint();
        WritePage(stops ? RunPhase::kStopped : RunPhase::kRunning);
      }
      if (!stops) ValidateIfDue();
      window_.LeaveOut(between);
    }
    if (trainer_.train_step() >= options_.steps) GatherAverage();
    SendOrder(RankOrder::kEnd, comm_);
    checkpoints_.Wait();
    run_.progress().Finish();
  }

  TrainReport Report() const {
    TrainReport report;
    report.train_step = trainer_.train_step();
    report.finished = report.train_step >= options_.steps;
    const nlohmann::json last = metrics_.Last("loss");
    if (const auto best = BestOf(metrics_.history().validations())) report.best = ToJson(*best);
    if (!last.is_null()) {
      report.loss = last["loss"].is_number() ? last["loss"].get<double>() : std::nan("");
      report.samples_per_s = last["samples_per_s"];
    }
    return report;
  }

  // After the last step: samples, and the page as it stays.
  void Finish() {
    TakeSamples();
    WritePage(RunPhase::kFinished);
  }

  const Trainer& trainer() const { return trainer_; }

 private:
  static Trainer Begin(const TrainRunOptions& options, const RunContext& run, TrainingSetup& setup,
                       Comm& comm, const TrainingDevice& device) {
    CheckTrainingMemory(setup.config.dit, options.train, SampleOf(setup),
                        device.device.is_cpu() ? BytesOf(setup.initial_weights) : 0,
                        {comm.size(), comm.local_size()}, device);
    RankStart start{
        .options = options.train,
        .seed = run.seed(),
        .network = {setup.config.dit, std::move(setup.initial_weights), setup.text->Encode("")},
        .cache = CachePath(options, run),
        .cache_key = setup.cache->key(),
        .num_clips = setup.cache->size()};
    setup.ReleaseEncoders();
    if (comm.size() > 1) SendStart(start, device.device, comm);
    Trainer trainer(std::move(start.network), options.train, run.seed(), {comm.rank(), comm.size()},
                    device);
    Resume(trainer, options.train.steps, run);
    if (comm.size() > 1) trainer.TakeStateOfRank0(comm);
    return trainer;
  }

  bool IsDue(int64_t every) const {
    return trainer_.train_step() % every == 0 || trainer_.train_step() >= options_.steps;
  }

  void ValidateIfDue() {
    const int64_t step = trainer_.train_step();
    if (step == 0 || setup_.validation.empty() || !IsDue(options_.validate_every)) return;
    const auto& done = metrics_.history().validations();
    if (done.empty() || done.back().train_step != step) {
      GatherAverage();
      Append({{"train_step", step}, {"validation", Validate()}});
      setup_.ReleaseEncoders();
      WritePage(RunPhase::kRunning);
    }
    KeepIfBest();
  }

  // Where the validation of this step is the best of the run: its weights as a bundle, and its
  // checkpoint beside the newest.
  void KeepIfBest() {
    const std::optional<ValidationScore> best = BestOf(metrics_.history().validations());
    if (!best || best->train_step != trainer_.train_step() || best_step_ == best->train_step)
      return;
    GatherAverage();
    WriteBestBundle({run_options_, setup_, trainer_, run_.out()}, *best);
    best_step_ = best->train_step;
    checkpoints_.KeepBest(*best_step_);
    SaveCheckpoint();
    LogInfo("the best validation so far: " + best->mode + " " + best->metric + " " +
            ToText(best->value) + " at step " + std::to_string(*best_step_));
  }

  void SaveCheckpoint() {
    if (!trainer_.is_divided()) return checkpoints_.Save(trainer_);
    if (checkpoints_.HasSaved(trainer_.train_step())) return;
    SendOrder(RankOrder::kSave, comm_);
    checkpoints_.SaveDivided(trainer_, comm_);
  }

  void GatherAverage() {
    if (trainer_.has_whole_average()) return;
    SendOrder(RankOrder::kGatherAverage, comm_);
    trainer_.GatherAverage(comm_);
  }

  nlohmann::json Validate() const {
    GenerateOptions generate;
    generate.sampler.sampling.shift = setup_.config.diffusion.shift;
    nlohmann::json report;
    VisitModes([&](const GeneratorModel& model, const Mode& mode) {
      const size_t num_clips = setup_.validation.CountFor(mode);
      if (num_clips == 0) return;
      run_.progress().Advance(
          0, "validating " + mode.name + " on " + std::to_string(num_clips) + " clips");
      report[mode.name] = ToJson(ValidateMode(model, mode, setup_.validation, generate,
                                              Rng(run_.seed()).Derive(0, mode.name)));
    });
    return report;
  }

  // Of the first held-out clips, sampled as the bundle says, but in no more steps than they are
  // validated in: a large model would take an hour.
  void TakeSamples() {
    if (setup_.validation.empty()) return;
    GenerateOptions generate;
    const int most_steps = generate.sampler.sampling.steps;
    generate.sampler.sampling = setup_.config.diffusion;
    generate.sampler.sampling.steps = std::min(most_steps, setup_.config.diffusion.steps);
    run_.progress().Start("samples", static_cast<int64_t>(setup_.config.trained_modes.size()));
    VisitModes([&](const GeneratorModel& model, const Mode& mode) {
      if (run_.stop_requested()) return;
      const std::vector<Clip> clips = setup_.validation.FirstFor(mode, kSampleClips);
      if (clips.empty()) return;
      std::vector<SampleStrip>& strips = samples_[mode.name];
      strips =
          MakeSampleStrips(model, mode, clips, generate, Rng(run_.seed()).Derive(1, mode.name));
      WriteSampleVideos(mode.name, run_.out(), strips);
      run_.progress().Advance(1, mode.name);
    });
    run_.progress().Finish();
    setup_.ReleaseEncoders();
  }

  // What is shipped, once for each mode that is trained.
  void VisitModes(const std::function<void(const GeneratorModel&, const Mode&)>& visit) const {
    at::set_num_threads(NumProcessors());
    const Dit dit = trainer_.ShippedDit();
    const GeneratorModel model{&dit, setup_.autoencoder.get(), setup_.text.get(),
                               setup_.config.action_image, setup_.config.num_frames};
    for (const std::string& mode : setup_.config.trained_modes) visit(model, FindMode(mode));
  }

  void JudgeRanks(nlohmann::json& line) {
    const RankWatch::Interval interval = ranks_.Close();
    if (interval.wait_shares.size() > 1) line["wait_shares"] = interval.wait_shares;
    for (const RankWatch::SlowRank& slow : interval.slow) {
      LogWarning("rank " + std::to_string(slow.rank) + " on " + comm_.HostOf(slow.rank) +
                 " takes " + RateText(slow.times) +
                 " times as long for a sample as the others: "
                 "they wait for it; look at what else runs there");
    }
  }

  // A line of metrics.jsonl, and the same for TensorBoard.
  void Append(const nlohmann::json& line) {
    metrics_.Append(line);
    events_.Append(line["train_step"], ScalarsOf(line));
  }

  void WritePage(RunPhase phase) const {
    const TrainingState state{.phase = phase,
                              .train_step = trainer_.train_step(),
                              .start_s = SecondsSince(begin_),
                              .samples = samples_};
    WriteFileAtomic(run_.out() / "report.html",
                    TrainingPage(run_options_, run_, setup_, metrics_.history(), state));
  }

  const TrainRunOptions& run_options_;
  const TrainOptions& options_;
  RunContext& run_;
  Clock::time_point begin_;
  TrainingSetup& setup_;
  Comm& comm_;
  TrainingDevice device_;
  Trainer trainer_;
  CheckpointWriter checkpoints_;
  std::optional<int64_t> best_step_;  // of the bundle that is kept
  MetricsFile metrics_;
  EventFile events_;
  std::map<std::string, std::vector<SampleStrip>> samples_;  // by mode
  Window window_;
  RankWatch ranks_;
};

void LogSchedule(const TrainOptions& options) {
  const Schedule schedule = FitSchedule(options);
  if (schedule.warmup_steps == options.warmup_steps && schedule.decay_steps == options.decay_steps)
    return;
  LogInfo("warm-up and decay are longer than the run of " + std::to_string(options.steps) +
          " steps: shortened to " + std::to_string(schedule.warmup_steps) + " and " +
          std::to_string(schedule.decay_steps) + " steps");
}

void EndEarly(const TrainReport& report, RunContext& run) {
  run.MarkUnfinished();
  LogInfo("stopped at step " + std::to_string(report.train_step) +
          "; the same command with --resume goes on");
}

// Rank 0, or a process alone: all of it.
TrainReport RunRank0(const TrainRunOptions& options, RunContext& run, const TrainingDevice& device,
                     Comm& comm) {
  const Clock::time_point begin = Clock::now();
  TrainReport report;
  TrainingSetup setup = PrepareTraining(options, run);
  if (setup.cache) {
    LogSchedule(options.train);
    const std::string idle = IdleRanks(options.train, comm.size());
    if (!idle.empty()) LogWarning(idle);
    const c10::DeviceGuard current(device.device);
    ExplainOutOfMemory(setup.config.dit, options.train, SampleOf(setup), device, [&] {
      TrainingLoop loop(options, run, setup, device, comm, begin);
      loop.Run();
      report = loop.Report();
      if (report.finished) {
        WriteFinalBundles({options, setup, loop.trainer(), run.out()});
        loop.Finish();
      }
    });
  } else if (comm.size() > 1) {
    SendStart(std::nullopt, device.device, comm);
  }
  run.CommitOut();
  if (report.finished) report.bundle = run.out() / kFinalBundle;
  report.skipped = setup.skipped;
  run.Note("skipped", ToJson(report.skipped));
  run.Note("train_step", report.train_step);
  run.Note("ranks", comm.size());
  if (!report.finished) EndEarly(report, run);
  return report;
}

}  // namespace

nlohmann::json ToJson(const TrainReport& report) {
  return {{"train_step", report.train_step},       {"loss", report.loss},
          {"samples_per_s", report.samples_per_s}, {"finished", report.finished},
          {"bundle", report.bundle.string()},      {"best", report.best},
          {"skipped", ToJson(report.skipped)}};
}

std::ostream& operator<<(std::ostream& out, const TrainReport& report) {
  return out << DumpJson(ToJson(report));
}

std::optional<TrainReport> RunTrain(const TrainRunOptions& options, RunContext& run) {
  // Until the number is set, matrix products split their sums as they like, and a first run of a
  // process fits an autoencoder of other last bits than a second.
  at::set_num_threads(NumProcessors());
  std::optional<Launch> launch = LaunchFromEnvironment();
  const TrainingDevice device = ParseTrainingDevice(run.device(), launch);
  std::unique_ptr<Comm> comm = std::make_unique<LocalComm>();
  if (launch) {
    options.Validate();
    if (device.is_queued) RequireQueueable(options.train);
    launch->lost_after = std::chrono::seconds(options.train.rank_timeout_s);
    comm = MeetRanks(*launch, device.device);
  }
  if (comm->rank() == 0) return RunRank0(options, run, device, *comm);
  if (!TrainAlong(*comm, device, [&] { return run.stop_requested(); })) run.MarkUnfinished();
  return std::nullopt;
}

}  // namespace aim
