#include "aim/data/episode_edit.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/data/cut_clip.h"
#include "aim/data/data_set.h"
#include "aim/media/video.h"
#include "data/frame_range.h"

namespace aim {
namespace {

// A rate above the recorded one by less repeats no frame.
constexpr double kRateTolerance = 0.01;

template <class T>
std::vector<T> Take(const std::vector<T>& values, const std::vector<int>& frames) {
  std::vector<T> taken;
  for (const int frame : frames) {
    if (static_cast<size_t>(frame) < values.size()) {
      taken.push_back(values[static_cast<size_t>(frame)]);
    }
  }
  return taken;
}

// The pictures and cameras of `frames`, one after another.
Clip ReadPictures(OpenEpisode& episode, const std::vector<int>& frames, int width, int height) {
  Clip clip;
  for (const int frame : frames) {
    AppendFrames(episode.ReadFitted({frame, frame + 1}, 1, width, height), episode.facts().clip,
                 clip);
  }
  return clip;
}

}  // namespace

std::vector<int> SampleFrames(const std::vector<double>& times_s, double fps) {
  AIM_CHECK(!times_s.empty() && fps > 0);
  const double duration_s = times_s.back() - times_s.front();
  const auto count = static_cast<int>(std::floor(duration_s * fps + kRateTolerance)) + 1;
  std::vector<int> frames;
  size_t nearest = 0;
  for (int k = 0; k < count; ++k) {
    const double wanted_s = times_s.front() + k / fps;
    const auto distance_s = [&](size_t i) { return std::abs(times_s[i] - wanted_s); };
    while (nearest + 1 < times_s.size() && distance_s(nearest + 1) <= distance_s(nearest)) {
      ++nearest;
    }
    if (!frames.empty() && frames.back() == static_cast<int>(nearest)) return {};
    frames.push_back(static_cast<int>(nearest));
  }
  return frames;
}

std::vector<int> FramesTaken(const OpenEpisode& episode, const EpisodeEdit& edit) {
  if (edit.fps == 0) {
    std::vector<int> all(static_cast<size_t>(episode.num_frames()));
    std::iota(all.begin(), all.end(), 0);
    return all;
  }
  std::vector<int> frames = SampleFrames(episode.facts().times_s, edit.fps);
  if (!frames.empty()) return frames;
  const std::string rate = RateText(episode.facts().clip.fps);
  throw UnfitError({.where = episode.where(),
                    .got = "recorded at " + rate + " frames a second",
                    .expected = "at least " + ToText(edit.fps) + ", the rate asked for",
                    .fix = "ask for fewer: frames are not invented"},
                   {.where = "--fps",
                    .got = ToText(edit.fps),
                    .expected = "at most " + rate + " frames a second",
                    .fix = "frames are not invented"});
}

void RequireFitting(const DataSet& data, const EpisodeEdit& edit, const EditFlags& flags) {
  if (edit.views.empty() && edit.fps == 0) return;
  std::optional<Problem> asked;
  for (const EpisodeRef& ref : data.episodes()) {
    try {
      const std::unique_ptr<OpenEpisode> episode = data.OpenAsIs(ref);
      if (!edit.views.empty()) episode->KeepViews(edit.views);
      FramesTaken(*episode, edit);
      return;
    } catch (const UnfitError& error) {
      if (asked || error.asked().where.empty()) continue;
      asked = error.asked();
      asked->expected += ", as in " + ref.name;
    } catch (const InputError&) {  // damaged: said when it is left out
    }
  }
  if (!asked) return;
  if (asked->where == EditFlags{}.views) asked->where = flags.views;
  if (asked->where == EditFlags{}.fps) asked->where = flags.fps;
  const std::string all = "no episode of " + data.root().string() + " has that";
  asked->fix = asked->fix.empty() ? all : all + ", and " + asked->fix;
  throw ConfigError(*asked);
}

Episode ReadEdited(OpenEpisode& episode, const EpisodeEdit& edit, const FrameRange& range) {
  if (!edit.views.empty()) episode.KeepViews(edit.views);
  if (edit.width == 0 && edit.height == 0 && edit.fps == 0) return episode.Read(range);
  const Clip& whole = episode.facts().clip;
  const int width = edit.width > 0 ? edit.width : whole.width;
  const int height = edit.height > 0 ? edit.height : whole.height;
  std::vector<int> frames = FramesTaken(episode, edit);
  const FrameRange part = WithinEpisode(range, static_cast<int>(frames.size()), episode.where());
  frames = {frames.begin() + part.begin, frames.begin() + part.end};
  CheckPixelMemory(static_cast<int64_t>(frames.size() * whole.views.size()), width, height,
                   episode.where());
  Episode edited;
  edited.clip = ReadPictures(episode, frames, width, height);
  edited.clip.fps = edit.fps > 0 ? edit.fps : whole.fps;
  const Episode& facts = episode.facts();
  edited.clip.poses = Take(whole.poses, frames);
  edited.times_s = Take(facts.times_s, frames);
  edited.measured = Take(facts.measured, frames);
  edited.confidence = Take(facts.confidence, frames);
  edited.task = facts.task;
  edited.variation = facts.variation;
  edited.seed = facts.seed;
  return edited;
}

std::vector<ToolPose> EditedPoses(const OpenEpisode& episode, const EpisodeEdit& edit) {
  const std::vector<ToolPose>& poses = episode.facts().clip.poses;
  return edit.fps == 0 ? poses : Take(poses, FramesTaken(episode, edit));
}

}  // namespace aim
