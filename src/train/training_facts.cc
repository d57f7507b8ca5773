#include "train/training_facts.h"

#include <iterator>
#include <nlohmann/json.hpp>

#include "aim/base/text.h"
#include "aim/report/numbers.h"
#include "aim/train/schedule.h"

namespace aim {
namespace {

std::string DataText(const TrainRunOptions& options) {
  return options.data.empty() ? "the cache " + options.clips.dir : Join(options.data);
}

std::string ClipsText(const TrainingSetup& setup) {
  const BundleConfig& config = setup.config;
  const std::string videos =
      setup.num_videos == 0 ? "" : ", " + std::to_string(setup.num_videos) + " without actions";
  return CountText(setup.cache->size(), "clip") + " of " +
         CountText(setup.num_episodes, "episode") + videos + ": " +
         CountText(config.num_frames, "frame") + ", " + CountText(config.num_views, "view") +
         " of " + SizeText(config.image_width, config.image_height) + " pixels, " +
         NumberText(config.fps, 2) + " frames a second";
}

std::string HeldOutText(const HeldOutClips& clips) {
  const std::string all = CountText(static_cast<int64_t>(clips.size()), "episode");
  if (clips.videos.empty()) return all;
  return all + ", " + std::to_string(clips.videos.size()) + " of them without actions";
}

std::string StartText(const TrainRunOptions& options) {
  return options.init.empty() ? "a new network" : "the bundle " + options.init;
}

std::string NetworkText(const TrainingSetup& setup) {
  const BundleConfig& config = setup.config;
  return CountText(config.dit.num_layers, "layer") + " of width " + std::to_string(config.dit.dim) +
         ", predicts " + ToWord(config.dit.prediction) + "; autoencoder " +
         ToWord(config.autoencoder.kind) + ", text " + ToWord(config.text.kind);
}

std::string MixText(const ModeMix& mix) {
  std::vector<std::pair<std::string, double>> shares;
  ModeMix::ForEachField(mix, [&](const std::string& name, double share, auto&&, auto&&) {
    if (share > 0) shares.emplace_back(name, share);
  });
  double all = 0;
  for (const auto& [name, share] : shares) all += share;
  std::vector<std::string> texts;
  texts.reserve(shares.size());
  for (const auto& [name, share] : shares)
    texts.push_back(name + " " + PercentText(share / all) + " %");
  return Join(texts);
}

std::string OptimizerText(const TrainOptions& options) {
  const Schedule schedule = FitSchedule(options);
  return ToWord(options.optimizer) + ", rate up to " + ToText(options.lr) + ", " +
         CountText(schedule.warmup_steps, "step") + " of warm-up and " +
         std::to_string(schedule.decay_steps) + " of decay";
}

std::string BatchText(const TrainOptions& options) {
  return CountText(options.batch_size, "sample") + " a step, " + CountText(options.steps, "step") +
         " in all";
}

}  // namespace

nlohmann::json TrainingFacts(const TrainRunOptions& options, const RunContext& run,
                             const TrainingSetup& setup) {
  const std::vector<std::pair<const char*, std::string>> facts = {
      {"data", DataText(options)},
      {"clips", ClipsText(setup)},
      {"held out", HeldOutText(setup.validation)},
      {"starts from", StartText(options)},
      {"network", NetworkText(setup)},
      {"modes", MixText(options.train.mix)},
      {"optimizer", OptimizerText(options.train)},
      {"batch", BatchText(options.train)},
      {"averaged weights", options.train.ema > 0 ? "decay " + ToText(options.train.ema) : "none"},
      {"seed", std::to_string(run.seed())},
      {"device", run.device()},
      {"version", Version() + ", revision " + Revision()}};
  nlohmann::json values = nlohmann::json::array();
  for (const auto& [name, value] : facts) values.push_back({{"name", name}, {"value", value}});
  return values;
}

}  // namespace aim
