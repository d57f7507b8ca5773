#include "aim/data/inspect.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>

#include "aim/base/error.h"
#include "aim/data/action_images_layout.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr size_t kPromptSample = 5;

struct TaskSummary {
  int episodes = 0;
  std::map<std::string, int> variations;
  size_t min_frames = 0;
  size_t max_frames = 0;
  size_t frames = 0;
  std::set<std::string> prompts;

  void Add(const Episode& episode) {
    const size_t count = episode.clip.poses.size();
    min_frames = episodes == 0 ? count : std::min(min_frames, count);
    max_frames = std::max(max_frames, count);
    frames += count;
    ++episodes;
    ++variations[std::to_string(episode.variation)];
    if (prompts.size() < kPromptSample) prompts.insert(episode.clip.prompt);
  }

  json ToJson() const {
    return {{"episodes", episodes},
            {"variations", variations},
            {"frames",
             {{"min", min_frames},
              {"mean", static_cast<double>(frames) / episodes},
              {"max", max_frames}}},
            {"prompts", prompts}};
  }
};

std::string RateText(double fps) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", fps);
  return text;
}

}  // namespace

json InspectData(const std::filesystem::path& path, Progress& progress) {
  const std::vector<EpisodePath> episodes = ListEpisodes(path);
  std::map<std::string, TaskSummary> tasks;
  std::map<std::string, int> views;
  std::map<std::string, int> sizes;
  std::map<std::string, int> rates;
  json damaged = json::array();
  size_t frames = 0;
  progress.Start("reading", static_cast<int64_t>(episodes.size()));
  for (const EpisodePath& where : episodes) {
    try {
      const Episode episode = ReadEpisode(where);
      const Clip& clip = episode.clip;
      tasks[where.task].Add(episode);
      frames += clip.poses.size();
      ++views[std::to_string(clip.views.size())];
      ++sizes[std::to_string(clip.width) + "x" + std::to_string(clip.height)];
      ++rates[RateText(clip.fps)];
    } catch (const InputError& error) {
      damaged.push_back({{"episode", where.Name()}, {"problem", error.what()}});
    }
    progress.Advance(1);
  }
  progress.Finish();
  json task_summaries = json::object();
  for (const auto& [task, summary] : tasks) task_summaries[task] = summary.ToJson();
  return {{"layout", "action-images"},
          {"path", path.string()},
          {"episodes", episodes.size() - damaged.size()},
          {"frames", frames},
          {"tasks", task_summaries},
          {"views", views},
          {"sizes", sizes},
          {"fps", rates},
          {"damaged", damaged}};
}

}  // namespace aim
