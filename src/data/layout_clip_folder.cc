// Plain clips in folders: what a person who has robot videos can lay out by hand.
//
//   <root>/<name>/view0.mp4, view1.mp4, ...   one size, one length; or .mov, .mkv, .webm, .avi
//   <root>/<name>/cameras.json                aim-cameras-1, one camera a view (or one a frame)
//   <root>/<name>/prompt.txt                  instruction, first line (optional)
//   <root>/<name>/poses.csv                   a row a frame, or frame 0 alone (optional)
#include <algorithm>
#include <string>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/normal_path.h"
#include "aim/base/text.h"
#include "aim/codec/pose_csv.h"
#include "aim/data/layout.h"
#include "aim/geometry/camera.h"
#include "aim/geometry/value_error.h"
#include "aim/media/file_names.h"
#include "data/camera_matrices.h"
#include "data/processed_folders.h"
#include "data/view_videos.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

std::string ViewName(size_t view) { return "view" + std::to_string(view); }

// view0.mp4, view1.mp4, ... up to the first that is missing; view0.mp4 at least.
std::vector<ViewFile> ViewFiles(const fs::path& folder) {
  std::vector<ViewFile> files;
  for (size_t view = 0; view == 0 || HasVideoNamed(folder, ViewName(view)); ++view) {
    files.push_back({ViewName(view), VideoNamed(folder, ViewName(view))});
  }
  return files;
}

// A clip whose first view is missing is one all the same, and damaged.
bool IsClip(const fs::path& folder) {
  return HasVideoNamed(folder, ViewName(0)) || HasVideoNamed(folder, ViewName(1));
}

// By name; hidden ones are being written.
std::vector<fs::path> ClipFolders(const fs::path& root) {
  if (IsClip(root)) return {root};
  std::vector<fs::path> folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    if (!IsHidden(entry.path()) && IsClip(entry.path())) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

void ReadCameras(const fs::path& path, int num_frames, CameraTrust trust, Clip& clip) {
  const bool is_checked = trust == CameraTrust::kChecked;
  const std::vector<CameraTrack> tracks =
      is_checked ? ReadCamerasJson(path) : ReadSuspectCamerasJson(path);
  if (tracks.size() != clip.views.size()) {
    throw InputError({.where = path.string(),
                      .got = "with " + CountText(static_cast<int64_t>(tracks.size()), "view"),
                      .expected = std::to_string(clip.views.size()) + ", one for each video",
                      .fix = clip.views.size() < tracks.size()
                                 ? "view" + std::to_string(clip.views.size()) + ".mp4 is missing"
                                 : ""});
  }
  for (size_t v = 0; v < tracks.size(); ++v) {
    const std::string where = path.string() + ": views[" + std::to_string(v) + "]";
    if (is_checked) RequireCameraSize(tracks[v].frames[0], clip.width, clip.height, where);
    const size_t count = tracks[v].frames.size();
    if (count != 1 && count != static_cast<size_t>(num_frames)) {
      throw InputError(
          {.where = where + ".world_from_camera",
           .got = "a list of " + CountText(static_cast<int64_t>(count), "transform"),
           .expected = "1, or one for each of " + std::to_string(num_frames) + " frames",
           .fix = ""});
    }
    clip.views[v].camera = tracks[v];
  }
}

void ReadPoses(const fs::path& path, int num_frames, Clip& clip) {
  const std::vector<PoseRow> rows = ReadPosesCsv(path);
  RequireEveryFrame(rows, path.string());
  if (rows.size() != 1 && rows.size() != static_cast<size_t>(num_frames)) {
    throw PoseCountError(
        {.where = path.string(),
         .got = "with " + CountText(static_cast<int64_t>(rows.size()), "row") + ", of frames " +
                std::to_string(rows[0].frame) + " to " + std::to_string(rows.back().frame),
         .expected = "frame 0 alone, or all of " + std::to_string(num_frames) + " video frames",
         .fix = ""});
  }
  clip.poses = ToolPoses(rows);
}

class ClipFolderSource : public EpisodeSource {
 public:
  explicit ClipFolderSource(fs::path root) : root_(std::move(root)) {}

  std::vector<EpisodeRef> List() const override {
    std::vector<EpisodeRef> refs;
    for (const fs::path& path : ClipFolders(root_)) {
      refs.push_back({.name = NormalPath(path).filename().string(), .path = path, .task = {}});
    }
    return refs;
  }

  std::unique_ptr<OpenEpisode> Open(const EpisodeRef& ref) const override {
    return OpenAs(ref, CameraTrust::kChecked);
  }

  std::unique_ptr<OpenEpisode> OpenSuspect(const EpisodeRef& ref) const override {
    return OpenAs(ref, CameraTrust::kSuspect);
  }

 private:
  static std::unique_ptr<OpenEpisode> OpenAs(const EpisodeRef& ref, CameraTrust trust) {
    auto videos = std::make_unique<ViewVideos>(ViewFiles(ref.path));
    const int num_frames = videos->num_frames();
    Episode episode;
    episode.times_s = videos->times_s();
    Clip& clip = episode.clip = videos->EmptyClip();
    ReadCameras(ref.path / "cameras.json", num_frames, trust, clip);
    if (fs::exists(ref.path / "prompt.txt")) {
      clip.prompt = FirstLineOf(ref.path / "prompt.txt");
    }
    if (fs::exists(ref.path / "poses.csv")) ReadPoses(ref.path / "poses.csv", num_frames, clip);
    return std::make_unique<OpenEpisode>(std::move(episode), std::move(videos), num_frames,
                                         ref.path.string());
  }

  fs::path root_;
};

class ClipFolderSink : public EpisodeSink {
 public:
  ClipFolderSink(fs::path root, const LayoutWriteOptions& options)
      : root_(std::move(root)), options_(options) {}

  // A name with slashes becomes one folder: "reach/variation0/episode2" is reach_variation0_...
  std::string NameOf(const EpisodeRef& ref) const override {
    std::string name = ref.name;
    std::replace(name.begin(), name.end(), '/', '_');
    return name;
  }

  void Write(const EpisodeRef& ref, const Episode& episode) override {
    const Clip& clip = episode.clip;
    RequireCameras(clip, ref.name);
    WriteFolderAtomic(root_ / NameOf(ref), [&](const fs::path& folder) {
      std::vector<CameraTrack> cameras;
      for (size_t view = 0; view < clip.views.size(); ++view) {
        WriteViewVideo(folder / (ViewName(view) + ".mp4"), clip, view, options_);
        cameras.push_back(clip.views[view].camera);
      }
      WriteCamerasJson(folder / "cameras.json", cameras);
      if (!clip.prompt.empty()) WriteFileAtomic(folder / "prompt.txt", clip.prompt + "\n");
      if (!clip.poses.empty()) WritePosesCsv(folder / "poses.csv", clip.poses, 1 / clip.fps);
    });
  }

  bool Holds(const EpisodeRef& ref) const override { return fs::is_directory(root_ / NameOf(ref)); }

 private:
  fs::path root_;
  LayoutWriteOptions options_;
};

class ClipFolder : public Layout {
 public:
  std::string_view Name() const override { return "folder"; }

  std::string WhyNot(const fs::path& root) const override {
    return ClipFolders(root).empty() ? "no view0.mp4 in it or in a folder of it" : "";
  }

  LayoutLimits Limits() const override {
    return {.cameras = true,
            .poses = true,
            .first_pose = true,
            .no_poses = true,
            .prompt = true,
            .many_sizes = true,
            .many_rates = true,
            .apart = true};
  }

  bool CanBeWritten() const override { return true; }

  std::unique_ptr<EpisodeSource> Open(const fs::path& root) const override {
    return std::make_unique<ClipFolderSource>(root);
  }

  std::unique_ptr<EpisodeSink> Create(const fs::path& root,
                                      const LayoutWriteOptions& options) const override {
    return std::make_unique<ClipFolderSink>(root, options);
  }
};

}  // namespace

const Layout& ClipFolderLayout() {
  static const ClipFolder kLayout;
  return kLayout;
}

}  // namespace aim
