#include "aim/train/dry_run.h"

#include <ATen/Parallel.h>
#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "aim/base/error.h"
#include "aim/base/parallel.h"
#include "aim/base/text.h"
#include "aim/diffusion/guidance_memory.h"
#include "aim/train/launch.h"
#include "aim/train/trainer.h"
#include "train/stopwatch.h"
#include "train/training_setup.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
constexpr int kSteps = 3;

// Gone with its contents at the end.
class PassingFolder {
 public:
  PassingFolder() {
    std::string name = (fs::temp_directory_path() / "aim-dry-run-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      throw IoError({.where = name,
                     .got = "not to be made",
                     .expected = "a temporary folder",
                     .fix = "set TMPDIR to a folder that can be written"});
    }
    path_ = name;
  }
  ~PassingFolder() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  PassingFolder(const PassingFolder&) = delete;
  PassingFolder& operator=(const PassingFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Enough for as many different clips as the steps want, and one to hold out.
int64_t EpisodesToRead(const TrainRunOptions& options) {
  return int64_t{kSteps} * options.train.batch_size / options.clips.per_episode + 2;
}

double FastestStep(TrainingSetup& setup, const TrainOptions& options, uint64_t seed,
                   const TrainingDevice& device) {
  Trainer trainer({setup.config.dit, std::move(setup.initial_weights), setup.text->Encode("")},
                  options, seed, {}, device);
  setup.ReleaseEncoders();
  LocalComm alone;
  double fastest_s = 0;
  for (int i = 0; i < kSteps; ++i) {
    const Clock::time_point before = Clock::now();
    trainer.Step(*setup.cache, alone);
    const double seconds = SecondsSince(before);
    fastest_s = i == 0 ? seconds : std::min(fastest_s, seconds);
  }
  return fastest_s;
}

}  // namespace

nlohmann::json ToJson(const DryRunReport& report) {
  return {{"memory", ToJson(report.memory)}, {"peak_bytes", report.peak_bytes},
          {"steps", report.steps},           {"num_episodes", report.num_episodes},
          {"num_clips", report.num_clips},   {"cache_bytes", report.cache_bytes},
          {"encode_s", report.encode_s},     {"step_s", report.step_s},
          {"steps_s", report.steps_s}};
}

std::ostream& operator<<(std::ostream& out, const DryRunReport& report) {
  return out << DumpJson(ToJson(report), 1);
}

DryRunReport RunDryTraining(const TrainRunOptions& options, RunContext& run) {
  if (LaunchFromEnvironment()) {
    throw ConfigError({.where = "--dry-run",
                       .got = "given to several ranks",
                       .expected = "one process",
                       .fix = "leave the launcher out: a step of n ranks takes about 1 / n"});
  }
  at::set_num_threads(NumProcessors());
  const PassingFolder folder;
  RunContext passing({.seed = run.seed(), .device = run.device(), .out = folder.path() / "run"});
  TrainRunOptions few = options;
  const bool has_cache = options.data.empty();
  if (!has_cache) few.clips.dir.clear();
  const Clock::time_point begin = Clock::now();
  TrainingSetup setup = PrepareTraining(few, passing, EpisodesToRead(options));
  const double share = static_cast<double>(std::max<int64_t>(1, setup.num_listed)) /
                       static_cast<double>(std::max<int64_t>(1, setup.num_episodes));
  const auto of_all = [&](auto count) {
    return static_cast<int64_t>(share * static_cast<double>(count));
  };
  const TrainingDevice device = ParseTrainingDevice(run.device());
  const c10::DeviceGuard current(device.device);
  const SampleSize sample =
      LargestSample(*setup.cache, setup.config.dit, setup.config.trained_modes);
  DryRunReport report{.memory = EstimateMemory(setup.config.dit, options.train, sample, {}, device),
                      .steps = options.train.steps,
                      .num_episodes = setup.num_listed,
                      .num_clips = of_all(setup.cache->size()),
                      .cache_bytes = of_all(setup.cache->size_bytes()),
                      .encode_s = has_cache ? 0 : share * SecondsSince(begin)};
  CheckTrainingMemory(setup.config.dit, options.train, sample,
                      device.device.is_cpu() ? BytesOf(setup.initial_weights) : 0, {}, device);
  ExplainOutOfMemory(setup.config.dit, options.train, sample, device, [&] {
    report.step_s = FastestStep(setup, options.train, run.seed(), device);
  });
  report.steps_s = report.step_s * static_cast<double>(report.steps);
  report.peak_bytes = PeakBytes(device.device);
  return report;
}

}  // namespace aim
