#include "pipeline/truth_clips.h"

#include <algorithm>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/text.h"
#include "aim/data/cut_clip.h"
#include "aim/data/fit_view.h"
#include "aim/data/skipped.h"
#include "pipeline/clip_rate.h"

namespace aim {
namespace {

// The first frames that the model sees. A shorter episode is padded.
Clip ReadStart(const DataSet& data, const EpisodeRef& ref, const BundleConfig& config,
               std::string& task) {
  const Episode episode = data.Read(ref, {0, config.num_frames});
  task = episode.task;
  const Clip& clip = episode.clip;
  CheckViews(ref, clip, config);
  if (clip.poses.size() != static_cast<size_t>(clip.views[0].num_frames)) {
    throw InputError({ref.path.string(), "with " + CountText(std::ssize(clip.poses), "pose"),
                      "one for each of " + std::to_string(data.Shape(ref).num_frames) + " frames",
                      ""});
  }
  return FitClip(CutClip(clip, 0, config.num_frames), config.image_width, config.image_height);
}

}  // namespace

void CheckViews(const EpisodeRef& ref, const Clip& clip, const BundleConfig& config) {
  if (clip.views.size() == static_cast<size_t>(config.num_views)) return;
  std::vector<std::string> names;
  for (const ClipView& view : clip.views) names.push_back(view.camera.name);
  throw UnfitError(
      {.where = ref.path.string(),
       .got = "with " + CountText(static_cast<int64_t>(names.size()), "view") + " (" + Join(names) +
              ")",
       .expected = std::to_string(config.num_views) + ", the number this model was trained for",
       .fix = "choose them by name with --views"});
}

TruthClips ReadTruthClips(const DataSet& data, int max_clips, const BundleConfig& config,
                          Progress& progress) {
  const std::vector<EpisodeRef>& refs = data.episodes();
  const size_t count = std::min(refs.size(), static_cast<size_t>(max_clips));
  TruthClips truth;
  int num_other_rate = 0;
  progress.Start("read", static_cast<int64_t>(count));
  for (size_t i = 0; i < count; ++i) {
    const EpisodeRef& ref = refs[i * refs.size() / count];
    TryOrSkip(ref.name, truth.skipped, [&] {
      std::string task;
      truth.clips.push_back(ReadStart(data, ref, config, task));
      truth.tasks.push_back(std::move(task));
      const double fps = truth.clips.back().fps;
      if (IsModelRate(fps, config.fps)) return;
      if (num_other_rate++ == 0) WarnOfRate(ref.name, fps, config.fps);
    });
    progress.Advance(1);
  }
  progress.Finish();
  if (num_other_rate > 1) {
    LogWarning(std::to_string(num_other_rate) + " of " + std::to_string(count) +
               " episodes have other frames a second than the model");
  }
  if (!truth.clips.empty()) return truth;
  throw InputError(
      {.where = data.root().string(),
       .got = "without an episode that can be measured (" + truth.skipped.at(0).problem + ")",
       .expected = "at least one",
       .fix = ""});
}

}  // namespace aim
