#include "train/training_setup.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "aim/base/error.h"
#include "aim/base/file_stamp.h"
#include "aim/base/log.h"
#include "aim/base/rng.h"
#include "aim/base/run_settings.h"
#include "aim/base/text.h"
#include "aim/bundle/adapter.h"
#include "aim/tensor/device.h"
#include "aim/tensor/safetensors.h"
#include "aim/train/training_device.h"
#include "train/fitted_autoencoder.h"

namespace aim {

namespace {

// An option of the network, autoencoder or text encoder that a bundle brings: what was asked for
// must be what it has.
template <class Options>
void RequireSame(const Options& asked, const Options& has, const std::string& section,
                 const std::string& init) {
  const nlohmann::json defaults = OptionsToJson(Options()), bundle = OptionsToJson(has);
  const nlohmann::json leaves = OptionsToJson(asked).flatten();
  for (const auto& [key, value] : leaves.items()) {
    const nlohmann::json::json_pointer place(key);
    if (value == defaults.value(place, nlohmann::json())) continue;
    const nlohmann::json found = bundle.value(place, nlohmann::json());
    if (value == found) continue;
    std::string name = section + key;
    std::replace(name.begin(), name.end(), '/', '.');
    throw ConfigError({.where = name,
                       .got = DumpJson(value),
                       .expected = DumpJson(found) + ", as in --init " + init,
                       .fix = "leave it out, or train from scratch without --init"});
  }
}

void RequireSameFrames(const TrainRunOptions& options, int num_frames) {
  const int asked = options.clips.num_frames;
  if (asked == num_frames || asked == ClipOptions().num_frames) return;
  throw ConfigError({.where = "clips.num_frames",
                     .got = std::to_string(asked),
                     .expected = std::to_string(num_frames) + ", as in --init " + options.init,
                     .fix = "leave it out, or train from scratch without --init"});
}

// A network that knows no cameras gets those that are asked for. New parts change nothing before
// they are trained: docs/reference/method.md 3.3.
void AddCameras(const TrainRunOptions& options, const RunContext& run, TrainingSetup& setup) {
  DitOptions& dit = setup.config.dit;
  if (dit.camera.mode != CameraMode::kNone || options.dit.camera.mode == CameraMode::kNone) return;
  dit.camera = options.dit.camera;
  AddInitialWeights(dit, Rng(run.seed()).Derive(0, "weights"), setup.initial_weights);
}

void RequireNewName(const std::string& name, const std::string& init) {
  const std::vector<std::string> names = AdaptersOf(init);
  const bool is_name = !name.empty() && name != "none" &&
                       std::filesystem::path(name).filename() == name && name[0] != '.';
  if (is_name && std::ranges::find(names, name) == names.end()) return;
  throw ConfigError({.where = "train.lora_name",
                     .got = Excerpt(name),
                     .expected = is_name ? "another one: " + init + " has " + Join(names)
                                         : "the name of a folder, not none",
                     .fix = ""});
}

// A forgotten calibration must not go unseen: what was to teach actions would teach pictures alone.
int64_t CountVideos(const LatentCache& cache) {
  std::map<std::string, int64_t> videos, all;  // by data set
  for (int64_t clip = 0; clip < cache.size(); ++clip) {
    const std::string& data_set = cache.Origin(clip).data_set;
    ++all[data_set];
    if (!cache.HasActions(clip)) ++videos[data_set];
  }
  int64_t count = 0;
  for (const auto& [data_set, num_videos] : videos) {
    count += num_videos;
    LogInfo(data_set + ": " + std::to_string(num_videos) + " of " +
            CountText(all[data_set], "clip") +
            " without actions (a pose and a calibrated camera for each frame): trained on as "
            "videos alone");
  }
  return count;
}

// Where clips with actions are trained on and none is held out, nothing tells how well they are
// met.
void WarnOfUnmeasured(const TrainingSetup& setup) {
  const bool trains_actions =
      std::ranges::any_of(setup.config.trained_modes,
                          [](const std::string& mode) { return FindMode(mode).action.present; });
  if (!trains_actions || setup.validation.empty() || !setup.validation.with_actions.empty()) return;
  LogWarning("none of what is held out (" +
             CountText(static_cast<int64_t>(setup.validation.size()), "clip") +
             ") has actions: no error in mm is measured, and the best "
             "validation is judged by pictures; raise train.validation_episodes");
}

// A number of episodes that fits a large data set may leave a small one with nothing to train on.
void WarnOfFewTrained(const TrainingSetup& setup) {
  const auto num_held_out = static_cast<int64_t>(setup.validation.size());
  if (num_held_out < setup.num_listed) return;  // a dry run reads some of them alone
  LogWarning(CountText(num_held_out, "episode") + " are held out for validation and " +
             std::to_string(setup.num_listed) +
             " left to train on; add data, or lower train.validation_episodes");
}

}  // namespace

std::vector<int64_t> FirstClips(const LatentCache& cache) {
  std::vector<int64_t> first;
  for (int64_t index = 0; index < cache.size(); ++index) {
    if (index == 0 || cache.Item(index) != cache.Item(index - 1)) first.push_back(index);
  }
  return first;
}

WeightMap ReadFittedAutoencoder(const std::filesystem::path& out) {
  return ReadSafetensors(out / kFittedAutoencoder);
}

const std::vector<std::string>& FreeTrainKeys() {
  static const std::vector<std::string> kKeys = {"clips.dir",
                                                 "dry_run",
                                                 "train.steps",
                                                 "train.microbatch",
                                                 "train.num_workers",
                                                 "train.zero",
                                                 "train.rank_timeout_s",
                                                 "train.gradient_checkpointing",
                                                 "train.checkpoint_every",
                                                 "train.keep_checkpoints",
                                                 "train.async_save",
                                                 "train.ship",
                                                 "train.validate_every",
                                                 "train.log_every"};
  return kKeys;
}

std::filesystem::path CachePath(const TrainRunOptions& options, const RunContext& run) {
  return options.clips.dir.empty() ? run.out() / "cache" : std::filesystem::path(options.clips.dir);
}

void PrepareRun(const TrainRunOptions& options, const std::string& data_content, RunContext& run) {
  nlohmann::json settings = {{"seed", run.seed()}, {"data_content", data_content}};
  for (const OptionLeaf& leaf : LeavesOf(options)) settings[leaf.key] = FieldJson(leaf.field);
  for (const std::string& key : FreeTrainKeys()) settings.erase(key);
  if (!options.init.empty()) settings["init_content"] = FileStamp(options.init);
  run.PrepareOutFolder(OutUse::kResumable);
  KeepSettings(run.out() / "settings.json", settings);
}

void LoadEncoders(const std::filesystem::path& bundle, const BundleConfig& config,
                  const RunContext& run, TrainingSetup& setup) {
  LoadOptions load;
  load.device = ParseDevice(run.device());
  load.offload = true;
  setup.autoencoder = LoadAutoencoder(bundle, config, load);
  if (!load.device.is_cpu()) load.dtype = at::kBFloat16;  // as released; in float32 UMT5 is 22 GB
  setup.text = LoadTextEncoder(bundle, config, load);
}

void TakeBundle(const TrainRunOptions& options, const RunContext& run, TrainingSetup& setup) {
  const BundleConfig config = LoadBundleConfig(options.init);
  OpenDit(options.init, config);  // throws for a network of eight bits
  const Dit dit = LoadDit(options.init, config);
  DitOptions asked = options.dit;
  if (config.dit.camera.mode == CameraMode::kNone) asked.camera = {};  // see AddCameras
  RequireSame(asked, config.dit, "dit", options.init);
  RequireSame(options.autoencoder, config.autoencoder.pca, "autoencoder", options.init);
  RequireSame(options.text, config.text.hashed_words, "text", options.init);
  RequireSameFrames(options, config.num_frames);
  setup.initial_bundle = options.init;
  setup.config = config;
  setup.initial_weights = dit.NamedWeights();
  for (auto& [name, weight] : setup.initial_weights) weight = weight.clone();  // not the file's
  AddCameras(options, run, setup);
  const bool is_adapter_alone = options.train.lora.rank > 0 && options.train.trained.empty();
  setup.changes_network = !is_adapter_alone || !config.adapter.empty() ||
                          setup.config.dit.camera.mode != config.dit.camera.mode;
  if (!setup.changes_network) RequireNewName(options.train.lora_name, options.init);
  LoadEncoders(options.init, config, run, setup);
}

void TakeNewNetwork(const TrainRunOptions& options, const RunContext& run, TrainingSetup& setup) {
  setup.config.dit = options.dit;
  setup.config.diffusion.shift = options.train.shift;
  // A clean prediction at full noise is the mean of what may follow: one step acts best (measured
  // in docs/results.md). A velocity is integrated in the released number of steps.
  setup.config.diffusion.steps = options.dit.prediction == Prediction::kClean ? 1 : 50;
  setup.initial_weights = InitialDitWeights(options.dit, Rng(run.seed()).Derive(0, "weights"));
}

int64_t BytesOf(const WeightMap& weights) {
  int64_t bytes = 0;
  for (const auto& [name, weight] : weights) bytes += static_cast<int64_t>(weight.nbytes());
  return bytes;
}

TrainingSetup PrepareTraining(const TrainRunOptions& options, RunContext& run,
                              int64_t most_episodes) {
  options.Validate();
  if (ParseTrainingDevice(run.device()).is_queued) RequireQueueable(options.train);
  TrainingSetup setup = options.data.empty() && !options.clips.dir.empty()
                            ? PrepareFromCache(options, run)
                            : PrepareFromEpisodes(options, run, most_episodes);
  if (!setup.cache) return setup;
  RequireBest(options.train, !setup.validation.empty());
  WarnOfUnmeasured(setup);
  setup.ReleaseEncoders();
  setup.num_episodes = static_cast<int64_t>(FirstClips(*setup.cache).size());
  setup.num_listed = std::max(setup.num_listed, setup.num_episodes);
  WarnOfFewTrained(setup);
  setup.num_videos = CountVideos(*setup.cache);
  run.Note("training_clips", setup.cache->size());
  run.Note("training_clips_without_actions", setup.num_videos);
  run.Note("validation_clips", setup.validation.size());
  return setup;
}

}  // namespace aim
