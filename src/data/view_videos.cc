#include "data/view_videos.h"

#include "aim/base/error.h"

namespace aim {
namespace {

std::string SizeText(const Video& video) {
  return std::to_string(video.num_frames) + " frames of " + std::to_string(video.format.width) +
         "x" + std::to_string(video.format.height);
}

}  // namespace

ViewVideos::ViewVideos(std::vector<ViewFile> files, bool whole) : files_(std::move(files)) {
  for (size_t view = 0; view < files_.size(); ++view) {
    if (whole) {
      videos_.push_back(ReadVideo(files_[view].path));
    } else {
      const VideoInfo info = ProbeVideo(files_[view].path);
      videos_.push_back({info.format, info.num_frames, {}});
    }
    CheckAgainstFirst(view);
  }
}

void ViewVideos::CheckAgainstFirst(size_t view) const {
  const Video& first = videos_[0];
  const Video& video = videos_[view];
  if (video.num_frames == first.num_frames && video.format.width == first.format.width &&
      video.format.height == first.format.height) {
    return;
  }
  throw InputError({.where = files_[view].path.string(),
                    .got = SizeText(video),
                    .expected = SizeText(first) + " as in " + files_[0].name,
                    .fix = "cut the videos to the same frames"});
}

EpisodeShape ViewVideos::Shape() const {
  const Video& first = videos_[0];
  return {.num_frames = first.num_frames,
          .num_views = static_cast<int>(files_.size()),
          .width = first.format.width,
          .height = first.format.height,
          .fps = first.format.fps};
}

Clip ViewVideos::EmptyClip() const {
  Clip clip;
  clip.width = videos_[0].format.width;
  clip.height = videos_[0].format.height;
  clip.fps = videos_[0].format.fps;
  for (const ViewFile& file : files_) {
    clip.views.emplace_back();
    clip.views.back().camera.name = file.name;
  }
  return clip;
}

void ViewVideos::FillPictures(const FrameRange& frames, Clip& clip) {
  for (size_t v = 0; v < files_.size(); ++v) {
    Video& video = videos_[v];
    ClipView& view = clip.views[v];
    view.num_frames = frames.end - frames.begin;
    if (video.rgb.empty()) {
      Video part = ReadVideoFrames(files_[v].path, frames.begin, frames.end);
      if (part.num_frames != view.num_frames) {
        throw FormatError({.where = files_[v].path.string(),
                           .got = std::to_string(frames.begin + part.num_frames) + " frames",
                           .expected = SizeText(video) + ", as it says itself",
                           .fix = "write or copy the file again"});
      }
      view.rgb = std::move(part.rgb);
    } else {
      AIM_CHECK(frames.begin == 0);
      view.rgb = std::move(video.rgb);
      view.rgb.resize(static_cast<size_t>(view.num_frames) * video.frame_bytes());
    }
  }
}

}  // namespace aim
