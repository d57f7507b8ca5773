#include "train/held_out.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {

size_t NumHeldOut(int asked, size_t num_episodes) {
  const size_t count =
      asked >= 0 ? static_cast<size_t>(asked) : std::clamp<size_t>(num_episodes / 10, 1, 24);
  if (count < num_episodes) return count;
  throw ConfigError(
      {"train.validation_episodes", std::to_string(count),
       "fewer than the " + CountText(static_cast<int64_t>(num_episodes), "episode") + " found",
       "add data, or hold out fewer: 0 trains without validation"});
}

void HeldOutClips::Add(Clip clip) {
  std::vector<Clip>& those = clip.poses.empty() ? videos : with_actions;
  those.push_back(std::move(clip));
}

size_t HeldOutClips::CountFor(const Mode& mode) const {
  return mode.action.present ? with_actions.size() : size();
}

std::vector<Clip> HeldOutClips::FirstFor(const Mode& mode, size_t most) const {
  std::vector<Clip> first;
  for (size_t i = 0; i < std::min(most, CountFor(mode)); ++i)
    first.push_back(i < with_actions.size() ? with_actions[i] : videos[i - with_actions.size()]);
  return first;
}

QualitySummary ValidateMode(const GeneratorModel& model, const Mode& mode,
                            const HeldOutClips& clips, const GenerateOptions& options,
                            const Rng& rng) {
  std::vector<ClipQuality> qualities = MeasureClips(model, mode, clips.with_actions, options, rng);
  if (!mode.action.present) {
    std::ranges::move(MeasureClips(model, mode, clips.videos, options, rng.Derive(0, "videos")),
                      std::back_inserter(qualities));
  }
  return SummarizeQuality(qualities);
}

}  // namespace aim
