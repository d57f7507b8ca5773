#include "aim/data/inspect.h"

#include <algorithm>
#include <cstdio>

#include "aim/base/text.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr size_t kPromptSample = 5;

void Add(const Episode& episode, int64_t count, TaskSummary& task) {
  task.min_frames = task.num_episodes == 0 ? count : std::min(task.min_frames, count);
  task.max_frames = std::max(task.max_frames, count);
  task.num_frames += count;
  ++task.num_episodes;
  ++task.variations[episode.variation];
  if (task.prompts.size() < kPromptSample) task.prompts.insert(episode.clip.prompt);
}

void Add(const OpenEpisode& episode, InspectReport& report) {
  const Clip& clip = episode.facts().clip;
  Add(episode.facts(), episode.num_frames(), report.tasks[episode.facts().task]);
  ++report.num_episodes;
  report.num_frames += episode.num_frames();
  ++report.views[static_cast<int>(clip.views.size())];
  ++report.sizes[SizeText(clip.width, clip.height)];
  ++report.rates[RateText(clip.fps)];
}

// Keys of a JSON object are texts.
json Counts(const std::map<int, int64_t>& counts) {
  json object = json::object();
  for (const auto& [number, count] : counts) object[std::to_string(number)] = count;
  return object;
}

json ToJson(const TaskSummary& task) {
  return {{"episodes", task.num_episodes},
          {"variations", Counts(task.variations)},
          {"frames",
           {{"min", task.min_frames},
            {"mean", static_cast<double>(task.num_frames) / static_cast<double>(task.num_episodes)},
            {"max", task.max_frames}}},
          {"prompts", task.prompts}};
}

}  // namespace

json ToJson(const InspectReport& report) {
  json tasks = json::object();
  for (const auto& [name, task] : report.tasks) tasks[name] = ToJson(task);
  return {{"layout", report.layout},
          {"path", report.path.string()},
          {"episodes", report.num_episodes},
          {"frames", report.num_frames},
          {"tasks", tasks},
          {"views", Counts(report.views)},
          {"sizes", report.sizes},
          {"fps", report.rates},
          {"damaged", ToJson(report.skipped)}};
}

InspectReport InspectData(const DataSet& data, Progress& progress) {
  InspectReport report;
  report.layout = data.layout().Name();
  report.path = data.root();
  progress.Start("reading", static_cast<int64_t>(data.episodes().size()));
  for (const EpisodeRef& ref : data.episodes()) {
    TryOrSkip(ref.name, report.skipped, [&] {
      const std::unique_ptr<OpenEpisode> episode = data.Open(ref);
      episode->CheckPictures();
      Add(*episode, report);
    });
    progress.Advance(1);
  }
  progress.Finish();
  return report;
}

}  // namespace aim
