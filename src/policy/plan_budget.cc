#include "policy/plan_budget.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <vector>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/options.h"
#include "aim/base/summary.h"
#include "aim/base/text.h"

namespace aim {
namespace {

constexpr int kLeastCachedSteps = 4;  // the first and the last are whole
constexpr int kNumTimed = 5;
constexpr const char* kActAlone = "i2a";
constexpr const char* kCache = ", cache ";

std::string MsText(double ms) { return ToText(std::ceil(10 * ms) / 10) + " ms"; }

// The most steps, below those asked for, whose plans are cheap enough.
std::optional<PlanSettings> FewerSteps(PlanSettings settings, double budget_ms,
                                       const PlanCost& cost) {
  int fitting = 0;
  int too_many = settings.steps;
  while (too_many - fitting > 1) {
    settings.steps = fitting + (too_many - fitting) / 2;
    (cost(settings) <= budget_ms ? fitting : too_many) = settings.steps;
  }
  if (fitting == 0) return std::nullopt;
  settings.steps = fitting;
  return settings;
}

std::optional<PlanSettings> FitInMode(PlanSettings settings, double budget_ms,
                                      const PlanCost& cost) {
  if (cost(settings) <= budget_ms) return settings;
  if (settings.cache == StepCacheKind::kNone && settings.steps >= kLeastCachedSteps) {
    settings.cache = StepCacheKind::kFirstBlock;
    if (cost(settings) <= budget_ms) return settings;
  }
  return FewerSteps(settings, budget_ms, cost);
}

// Grey pictures of cameras side by side, and the tool before them.
Clip PlainClip(const BundleConfig& config) {
  Clip clip{.height = config.image_height,
            .width = config.image_width,
            .fps = config.fps,
            .views = {},
            .poses = {},
            .prompt = "pick up the cup"};
  clip.poses.resize(1);
  clip.poses[0].world_from_tool.translation = {0, 0, 1};
  for (int view = 0; view < config.num_views; ++view) {
    Camera camera;
    camera.width = clip.width;
    camera.height = clip.height;
    camera.fx = camera.fy = clip.width;
    camera.cx = 0.5 * clip.width;
    camera.cy = 0.5 * clip.height;
    camera.world_from_camera.translation.x() = 0.1 * view;
    const size_t num_bytes = 3 * static_cast<size_t>(clip.width) * static_cast<size_t>(clip.height);
    clip.views.push_back({.camera = {.name = "view" + std::to_string(view), .frames = {camera}},
                          .num_frames = 1,
                          .rgb = std::vector<uint8_t>(num_bytes, 128)});
  }
  return clip;
}

}  // namespace

std::string ToWords(const PlanSettings& settings) {
  std::string words = settings.mode + ", " + CountText(settings.steps, "step");
  if (settings.cache != StepCacheKind::kNone) words += kCache + ToWord(settings.cache);
  return words;
}

PlanSettings PlanSettingsFromWords(const std::string& words) {
  PlanSettings settings;
  const size_t mode_end = std::min(words.find(", "), words.size());
  settings.mode = words.substr(0, mode_end);
  const char* const steps = words.data() + std::min(mode_end + 2, words.size());
  std::from_chars(steps, words.data() + words.size(), settings.steps);
  if (const size_t cache = words.find(kCache); cache != std::string::npos) {
    const std::string word = words.substr(cache + std::string_view(kCache).size());
    settings.cache = FromWord<StepCacheKind>(word, "the step cache of a plan");
  }
  if (ToWords(settings) == words) return settings;
  throw InputError(
      {.where = "the settings of the run to go on with: served",
       .got = Excerpt(words),
       .expected = "a mode and its steps, like \"" + ToWords({.mode = kActAlone}) + '"',
       .fix = "start over with --overwrite"});
}

PlanSettings FitBudget(const PlanSettings& asked, bool can_act_alone, double budget_ms,
                       const PlanCost& cost) {
  if (const auto fitting = FitInMode(asked, budget_ms, cost)) return *fitting;
  PlanSettings cheapest = asked;
  if (can_act_alone && asked.mode != kActAlone) {
    cheapest.mode = kActAlone;
    if (const auto fitting = FitInMode(cheapest, budget_ms, cost)) return *fitting;
  }
  cheapest.steps = 1;
  throw ConfigError({.where = "--budget-ms",
                     .got = ToText(budget_ms),
                     .expected = "at least " + MsText(cost(cheapest)) +
                                 ", what the cheapest plan (" + ToWords(cheapest) +
                                 ") takes on this machine",
                     .fix = "more --threads, or a GPU, may make it faster"});
}

double MeasurePlanMs(const ClipGenerator& generator) {
  const Clip clip = PlainClip(generator.config());
  std::vector<double> times_ms;
  for (int i = 0; i <= kNumTimed; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    generator.Run({clip}, {.decode_video = false}, Rng(0));
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - begin;
    if (i > 0) times_ms.push_back(elapsed.count());  // the first warms up
  }
  return Median(times_ms);
}

ClipGenerator WithinBudget(const ClipGenerator& generator, double budget_ms,
                           const std::string& settled) {
  const auto run_as = [&](const PlanSettings& settings) {
    return generator.ForMode(settings.mode).WithSteps(settings.steps, settings.cache);
  };
  if (!settled.empty()) {
    LogInfo("--budget-ms " + ToText(budget_ms) + ": " + settled + ", as in the run to go on with");
    return run_as(PlanSettingsFromWords(settled));
  }
  std::map<std::string, double> known_ms;  // a plan may take seconds: each is timed once
  const auto cost = [&](const PlanSettings& settings) {
    const auto [known, is_new] = known_ms.emplace(ToWords(settings), 0);
    if (is_new) known->second = MeasurePlanMs(run_as(settings));
    return known->second;
  };
  const std::vector<std::string>& trained = generator.config().trained_modes;
  const PlanSettings asked{.mode = generator.mode().name,
                           .steps = generator.sampler().sampling.steps,
                           .cache = generator.sampler().passes.cache};
  const PlanSettings chosen =
      FitBudget(asked, std::ranges::find(trained, kActAlone) != trained.end(), budget_ms, cost);
  LogInfo("--budget-ms " + ToText(budget_ms) + ": " + ToWords(chosen) + ", " +
          MsText(cost(chosen)) + " a plan" +
          (ToWords(chosen) == ToWords(asked) ? "" : "; asked for " + ToWords(asked)));
  return run_as(chosen);
}

}  // namespace aim
