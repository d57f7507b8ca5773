#include "aim/data/open_episode.h"

#include <algorithm>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/name_list.h"
#include "aim/base/text.h"
#include "aim/data/fit_view.h"
#include "aim/data/skipped.h"
#include "aim/media/video.h"
#include "data/frame_range.h"
#include "data/view_videos.h"

namespace aim {
namespace {

void CheckMemory(const FrameRange& frames, const Clip& clip, const std::string& where) {
  const auto num_views = static_cast<int64_t>(clip.views.size());
  CheckPixelMemory(num_views * (frames.end - frames.begin), clip.width, clip.height, where);
}

size_t NumberOfView(const Clip& clip, const std::string& name, const std::string& where) {
  std::vector<std::string> names;
  for (const ClipView& view : clip.views) {
    if (view.camera.name == name) return names.size();
    names.push_back(view.camera.name);
  }
  throw UnfitError(
      {.where = where,
       .got = "without a view called " + name,
       .expected = "one of " + Join(names),
       .fix = ""},
      {.where = "--views", .got = Excerpt(name), .expected = "one of " + Join(names), .fix = ""});
}

}  // namespace

void RequireCameras(const Clip& clip, const std::string& where) {
  for (const ClipView& view : clip.views) {
    if (!view.camera.frames.empty()) continue;
    throw UnfitError(
        {.where = where + ": " + view.camera.name,
         .got = "without calibration",
         .expected = "a calibrated camera for each view",
         .fix = "add its camera where the layout has it (docs/reference/formats.md 9)"});
  }
}

bool IsCalibrated(const Clip& clip) {
  return std::none_of(clip.views.begin(), clip.views.end(),
                      [](const ClipView& view) { return view.camera.frames.empty(); });
}

bool TellsOfCameras(const Episode& episode) {
  return episode.clip.poses.size() >= 2 && episode.confidence.empty() && IsCalibrated(episode.clip);
}

OpenEpisode::OpenEpisode(Episode facts, std::unique_ptr<ViewVideos> videos, int num_frames,
                         std::string where)
    : facts_(std::move(facts)),
      videos_(std::move(videos)),
      num_frames_(num_frames),
      where_(std::move(where)) {
  AIM_CHECK(num_frames_ > 0 && facts_.clip.fps > 0);
  const auto count = static_cast<size_t>(num_frames_);
  if (facts_.times_s.size() < count) facts_.times_s.clear();
  for (size_t k = facts_.times_s.size(); k < count; ++k) {
    facts_.times_s.push_back(static_cast<double>(k) / facts_.clip.fps);
  }
  facts_.times_s.resize(count);
}

OpenEpisode::~OpenEpisode() = default;

EpisodeShape OpenEpisode::shape() const {
  const Clip& clip = facts_.clip;
  return {.num_frames = num_frames_,
          .num_views = static_cast<int>(clip.views.size()),
          .width = clip.width,
          .height = clip.height,
          .fps = clip.fps};
}

void OpenEpisode::KeepViews(const std::vector<std::string>& names) {
  std::vector<ClipView> kept;
  std::vector<size_t> numbers;
  for (const std::string& name : SplitNames(names)) {
    const size_t number = NumberOfView(facts_.clip, name, where_);
    if (std::find(numbers.begin(), numbers.end(), number) != numbers.end()) {
      throw ConfigError({.where = "--views",
                         .got = "the view " + name + " asked for twice",
                         .expected = "each once",
                         .fix = ""});
    }
    numbers.push_back(number);
    kept.push_back(facts_.clip.views[number]);
  }
  facts_.clip.views = std::move(kept);
  videos_->Keep(numbers);
}

void OpenEpisode::SetPoses(std::vector<ToolPose> poses, std::vector<double> confidence) {
  AIM_CHECK(poses.size() == static_cast<size_t>(num_frames_) && confidence.size() == poses.size());
  facts_.measured.clear();
  facts_.clip.poses = std::move(poses);
  facts_.confidence = std::move(confidence);
}

Episode OpenEpisode::Read(const FrameRange& range) {
  const FrameRange frames = WithinEpisode(range, num_frames_, where_);
  CheckMemory(frames, facts_.clip, where_);
  Episode episode = facts_;
  CutToRange(frames, episode);
  Clip& clip = episode.clip;
  for (ClipView& view : clip.views) {
    view.num_frames = frames.end - frames.begin;
    view.rgb.reserve(static_cast<size_t>(view.num_frames) * static_cast<size_t>(clip.width) *
                     static_cast<size_t>(clip.height) * 3);
  }
  videos_->VisitFrames(frames, 1, [&clip](size_t view, int, std::span<const uint8_t> rgb) {
    std::vector<uint8_t>& pictures = clip.views[view].rgb;
    pictures.insert(pictures.end(), rgb.begin(), rgb.end());
  });
  return episode;
}

Clip OpenEpisode::ReadFitted(const FrameRange& range, int stride, int width, int height) {
  const FrameRange frames = WithinEpisode(range, num_frames_, where_);
  const Clip& whole = facts_.clip;
  Clip clip;
  clip.width = width;
  clip.height = height;
  clip.fps = whole.fps / stride;
  clip.prompt = whole.prompt;
  clip.views.resize(whole.views.size());
  videos_->VisitFrames(frames, stride, [&](size_t v, int frame, std::span<const uint8_t> rgb) {
    const CameraTrack& track = whole.views[v].camera;
    ClipView one{.camera = {track.name, {}}, .num_frames = 1, .rgb = {rgb.begin(), rgb.end()}};
    if (!track.frames.empty()) one.camera.frames = {track.at(static_cast<size_t>(frame))};
    const ClipView fitted = FitView(one, whole.width, whole.height, width, height);
    ClipView& view = clip.views[v];
    view.camera.name = track.name;
    if (track.frames.size() > 1 || view.num_frames == 0) {
      view.camera.frames.insert(view.camera.frames.end(), fitted.camera.frames.begin(),
                                fitted.camera.frames.end());
    }
    view.rgb.insert(view.rgb.end(), fitted.rgb.begin(), fitted.rgb.end());
    ++view.num_frames;
  });
  return clip;
}

void OpenEpisode::VisitPictures(size_t view, const VisitPicture& visit) {
  videos_->VisitView(view, {0, num_frames_}, visit);
}

void OpenEpisode::CheckPictures() {
  for (size_t view = 0; view < facts_.clip.views.size(); ++view) {
    VisitPictures(view, [](int, std::span<const uint8_t>) {});
  }
}

}  // namespace aim
