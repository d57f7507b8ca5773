#include "data/view_videos.h"

#include <algorithm>
#include <cmath>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/media/file_names.h"
#include "aim/media/frame_times.h"
#include "aim/media/preview.h"
#include "aim/media/video.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

std::string ShapeText(const VideoInfo& video) {
  return std::to_string(video.num_frames) + " frames of " +
         SizeText(video.format.width, video.format.height);
}

std::vector<fs::path> VideosNamed(const fs::path& folder, const std::string& stem) {
  std::vector<fs::path> paths;
  if (!fs::is_directory(folder)) return paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().stem() == stem && IsVideoName(entry.path())) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<ViewFrames> OpenVideos(const std::vector<ViewFile>& files) {
  std::vector<ViewFrames> views;
  views.reserve(files.size());
  for (const ViewFile& file : files) {
    views.push_back({file.name, file.path, std::make_unique<VideoReader>(file.path)});
  }
  return views;
}

}  // namespace

bool HasVideoNamed(const fs::path& folder, const std::string& stem) {
  return !VideosNamed(folder, stem).empty();
}

fs::path VideoNamed(const fs::path& folder, const std::string& stem) {
  const std::vector<fs::path> paths = VideosNamed(folder, stem);
  if (paths.empty()) return folder / (stem + ".mp4");
  if (paths.size() == 1) return paths[0];
  throw InputError(
      {.where = folder.string(),
       .got = "with " + paths[0].filename().string() + " and " + paths[1].filename().string(),
       .expected = "one video of " + stem,
       .fix = "move the other one away"});
}

void WriteViewVideo(const fs::path& path, const Clip& clip, size_t view,
                    const LayoutWriteOptions& options) {
  const VideoFormat format{clip.width, clip.height, clip.fps};
  const std::vector<uint8_t>& rgb = clip.views[view].rgb;
  if (!options.lossless || !options.previews) {
    return WriteVideo(path, format, rgb, {.lossless = options.lossless});
  }
  PreviewedVideoWriter writer(path, format);
  Image frame(clip.width, clip.height);
  for (size_t begin = 0; begin < rgb.size(); begin += frame.rgb.size()) {
    std::copy_n(rgb.begin() + static_cast<ptrdiff_t>(begin), frame.rgb.size(), frame.rgb.begin());
    writer.Append(frame);
  }
  writer.Finish();
}

ViewVideos::ViewVideos(const std::vector<ViewFile>& files) : ViewVideos(OpenVideos(files)) {}

ViewVideos::ViewVideos(std::vector<ViewFrames> views) : views_(std::move(views)) {
  AIM_CHECK(!views_.empty());
  for (size_t view = 1; view < views_.size(); ++view) CheckAgainstFirst(view);
}

void ViewVideos::CheckAgainstFirst(size_t view) const {
  const VideoInfo& first = views_[0].frames->info();
  const VideoInfo& video = views_[view].frames->info();
  const std::string path = views_[view].path.string();
  if (video.num_frames != first.num_frames || video.format.width != first.format.width ||
      video.format.height != first.format.height) {
    throw InputError({.where = path,
                      .got = "of " + ShapeText(video),
                      .expected = ShapeText(first) + " as in " + views_[0].name,
                      .fix = "cut the videos to the same frames"});
  }
  const std::string apart = DescribeTimesApart(video.times_s, first.times_s, first.format.fps);
  if (!apart.empty()) {
    throw InputError({.where = path,
                      .got = "a video whose " + apart,
                      .expected = "the times of " + views_[0].name,
                      .fix = "record or cut the videos to the same moments"});
  }
  const double offset_s = video.times_s[0] - first.times_s[0];
  if (std::abs(offset_s) * first.format.fps > 0.5) {
    LogWarning(path + " starts " + ToText(offset_s) + " s after " + views_[0].name +
               "; their frames are taken for the same moments all the same");
  }
}

void ViewVideos::Keep(const std::vector<size_t>& numbers) {
  std::vector<ViewFrames> kept;
  kept.reserve(numbers.size());
  for (const size_t number : numbers) kept.push_back(std::move(views_.at(number)));
  views_ = std::move(kept);
}

Clip ViewVideos::EmptyClip() const {
  const VideoFormat& format = views_[0].frames->info().format;
  Clip clip;
  clip.width = format.width;
  clip.height = format.height;
  clip.fps = format.fps;
  for (const ViewFrames& view : views_) {
    clip.views.emplace_back();
    clip.views.back().camera.name = view.name;
  }
  return clip;
}

void ViewVideos::VisitFrames(const FrameRange& frames, int stride, const Visit& visit) {
  for (size_t view = 0; view < views_.size(); ++view) {
    views_[view].frames->VisitFrames(
        frames.begin, frames.end, stride,
        [&](int frame, std::span<const uint8_t> rgb) { visit(view, frame, rgb); });
  }
}

void ViewVideos::VisitView(size_t view, const FrameRange& frames, const FrameReader::Visit& visit) {
  views_.at(view).frames->VisitFrames(frames.begin, frames.end, 1, visit);
}

}  // namespace aim
