#include "aim/data/clip_folder.h"

#include <algorithm>
#include <string>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/codec/pose_csv.h"
#include "aim/media/video.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

std::string SizeText(int num_frames, int width, int height) {
  return std::to_string(num_frames) + " frames of " + std::to_string(width) + "x" +
         std::to_string(height);
}

void ReadVideos(const fs::path& folder, Clip& clip) {
  for (size_t v = 0;; ++v) {
    const fs::path path = folder / ("view" + std::to_string(v) + ".mp4");
    if (v > 0 && !fs::exists(path)) return;
    Video video = ReadVideo(path);
    const VideoFormat& format = video.format;
    if (v == 0) {
      clip.width = format.width;
      clip.height = format.height;
      clip.fps = format.fps;
    }
    ClipView view;
    view.num_frames = video.num_frames;
    view.rgb = std::move(video.rgb);
    clip.views.push_back(std::move(view));
    const int num_frames = clip.views[0].num_frames;
    if (video.num_frames == num_frames && format.width == clip.width &&
        format.height == clip.height) {
      continue;
    }
    throw InputError({.where = path.string(),
                      .got = SizeText(video.num_frames, format.width, format.height),
                      .expected = SizeText(num_frames, clip.width, clip.height) + " as in view0",
                      .fix = "cut the videos to the same frames"});
  }
}

void ReadCameras(const fs::path& path, Clip& clip) {
  const std::vector<CameraTrack> tracks = ReadCamerasJson(path);
  if (tracks.size() != clip.views.size()) {
    throw InputError({.where = path.string(),
                      .got = std::to_string(tracks.size()) + " views",
                      .expected = std::to_string(clip.views.size()) + ", one for each video",
                      .fix = ""});
  }
  for (size_t v = 0; v < tracks.size(); ++v) {
    const std::string where = path.string() + ": views[" + std::to_string(v) + "]";
    const Camera& camera = tracks[v].frames[0];
    if (camera.width != clip.width || camera.height != clip.height) {
      throw InputError({.where = where,
                        .got = "a camera of " + std::to_string(camera.width) + "x" +
                               std::to_string(camera.height) + " pixels",
                        .expected = std::to_string(clip.width) + "x" + std::to_string(clip.height) +
                                    ", the size of the videos",
                        .fix = "scale its intrinsics to the video"});
    }
    const size_t count = tracks[v].frames.size();
    if (count != 1 && count != static_cast<size_t>(clip.views[v].num_frames)) {
      throw InputError({.where = where + ".world_from_camera",
                        .got = std::to_string(count) + " transforms",
                        .expected = "1, or one for each of " +
                                    std::to_string(clip.views[v].num_frames) + " frames",
                        .fix = ""});
    }
    clip.views[v].camera = tracks[v];
  }
}

void ReadPoses(const fs::path& path, Clip& clip) {
  const std::vector<PoseRow> rows = ReadPosesCsv(path);
  const auto num_frames = static_cast<size_t>(clip.views[0].num_frames);
  const bool consecutive =
      rows[0].frame == 0 && rows.back().frame == static_cast<int64_t>(rows.size() - 1);
  if (!consecutive || (rows.size() != 1 && rows.size() != num_frames)) {
    throw InputError(
        {.where = path.string(),
         .got = std::to_string(rows.size()) + " rows, of frames " + std::to_string(rows[0].frame) +
                " to " + std::to_string(rows.back().frame),
         .expected = "frame 0 alone, or all of " + std::to_string(num_frames) + " video frames",
         .fix = ""});
  }
  clip.poses = ToolPoses(rows);
}

}  // namespace

std::vector<fs::path> ListClipFolders(const fs::path& root) {
  if (fs::exists(root / "view0.mp4")) return {root};
  std::vector<fs::path> folders;
  if (!fs::is_directory(root)) return folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    if (fs::exists(entry.path() / "view0.mp4")) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

Episode ReadClipFolder(const fs::path& path) {
  Episode episode;
  ReadVideos(path, episode.clip);
  ReadCameras(path / "cameras.json", episode.clip);
  if (fs::exists(path / "prompt.txt")) {
    const std::string text = ReadFile(path / "prompt.txt");
    episode.clip.prompt = text.substr(0, text.find_first_of("\r\n"));
  }
  if (fs::exists(path / "poses.csv")) ReadPoses(path / "poses.csv", episode.clip);
  return episode;
}

}  // namespace aim
