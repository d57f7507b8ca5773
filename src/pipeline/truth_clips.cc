#include "pipeline/truth_clips.h"

#include <algorithm>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/data/cut_clip.h"
#include "aim/data/fit_view.h"
#include "pipeline/episode_items.h"

namespace aim {
namespace {

Clip ReadClip(const EpisodeItem& item, const BundleConfig& config, std::string& task) {
  const Episode episode = item.Read();
  task = episode.task;
  const Clip& clip = episode.clip;
  if (clip.views.size() != static_cast<size_t>(config.num_views)) {
    throw InputError({item.path.string(), std::to_string(clip.views.size()) + " views",
                      std::to_string(config.num_views) + ", the number this model was trained for",
                      ""});
  }
  if (clip.poses.size() != static_cast<size_t>(clip.views[0].num_frames)) {
    throw InputError({item.path.string(), std::to_string(clip.poses.size()) + " poses",
                      "one for each of " + std::to_string(clip.views[0].num_frames) + " frames",
                      ""});
  }
  return FitClip(CutClip(clip, 0, config.num_frames), config.image_width, config.image_height);
}

}  // namespace

TruthClips ReadTruthClips(const std::string& path, int max_clips, const BundleConfig& config,
                          Progress& progress) {
  const std::vector<EpisodeItem> items = ListEpisodeItems(path);
  const size_t count = std::min(items.size(), static_cast<size_t>(max_clips));
  TruthClips data;
  progress.Start("read", static_cast<int64_t>(count));
  for (size_t i = 0; i < count; ++i) {
    const EpisodeItem& item = items[i * items.size() / count];
    try {
      std::string task;
      data.clips.push_back(ReadClip(item, config, task));
      data.tasks.push_back(std::move(task));
    } catch (const InputError& error) {
      LogWarning("left out " + item.name + ": " + error.what());
      data.damaged.push_back({{"episode", item.name}, {"problem", error.what()}});
    }
    progress.Advance(1);
  }
  progress.Finish();
  if (!data.clips.empty()) return data;
  throw InputError({.where = path,
                    .got = "without an episode that can be measured (" +
                           std::string(data.damaged[0]["problem"]) + ")",
                    .expected = "at least one",
                    .fix = ""});
}

}  // namespace aim
