// Bridge videos as the Action Images project keeps them: no actions, cameras as VGGT finds them.
//
//   <root>[/processed]/<episode>/video/0.mp4, 1.mp4, ...
//   <root>[/processed]/<episode>/instruction.txt          one a line; the first is taken
//   <root>[/processed]/<episode>/vggt/0/extrinsic.npy     [V, 3, 4] world-to-camera, OpenCV axes
//   <root>[/processed]/<episode>/vggt/0/intrinsic.npy     [V, 3, 3]
//
// Scale and origin of the world are VGGT's own: distances are no metres.
#include <string>

#include "aim/data/layout.h"
#include "aim/data/vggt_cameras.h"
#include "data/processed_folders.h"
#include "data/view_videos.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

bool IsBridge(const fs::path& folder) {
  return HasVideoNamed(folder / "video", "0") && fs::is_directory(folder / "vggt");
}

std::vector<ViewFile> BridgeVideos(const fs::path& episode) {
  std::vector<ViewFile> files;
  for (int view = 0; view == 0 || HasVideoNamed(episode / "video", std::to_string(view)); ++view) {
    const std::string name = std::to_string(view);
    files.push_back({name, VideoNamed(episode / "video", name)});
  }
  return files;
}

void ReadVggtCameras(const fs::path& episode, Clip& clip) {
  const auto read = [&](const char* name) {
    const fs::path path = episode / "vggt" / "0" / name;
    return NamedArray{ReadNpy(path), path.string()};
  };
  const NamedArray intrinsics = read("intrinsic.npy");
  const std::vector<Camera> cameras =
      VggtCameras(read("extrinsic.npy"), intrinsics, clip.views.size());
  for (size_t view = 0; view < clip.views.size(); ++view) {
    const std::string where = intrinsics.where + " [" + std::to_string(view) + "]";
    clip.views[view].camera.frames = {AtPictureSize(cameras[view], clip.width, clip.height, where)};
  }
}

class BridgeSource : public EpisodeSource {
 public:
  explicit BridgeSource(fs::path root) : root_(std::move(root)) {}

  std::vector<EpisodeRef> List() const override { return ListProcessed(root_, IsBridge); }

  std::unique_ptr<OpenEpisode> Open(const EpisodeRef& ref) const override {
    auto videos = std::make_unique<ViewVideos>(BridgeVideos(ref.path));
    Episode episode;
    episode.times_s = videos->times_s();
    episode.clip = videos->EmptyClip();
    ReadVggtCameras(ref.path, episode.clip);
    episode.clip.prompt = ReadInstruction(ref.path);
    const int num_frames = videos->num_frames();
    return std::make_unique<OpenEpisode>(std::move(episode), std::move(videos), num_frames,
                                         ref.path.string());
  }

 private:
  fs::path root_;
};

class Bridge : public Layout {
 public:
  std::string_view Name() const override { return "bridge"; }

  std::string WhyNot(const fs::path& root) const override {
    return ListProcessed(root, IsBridge).empty() ? "no <episode>/video/0.mp4 beside vggt/ in it"
                                                 : "";
  }

  LayoutLimits Limits() const override {
    return {
        .cameras = true, .no_poses = true, .prompt = true, .many_sizes = true, .many_rates = true};
  }

  std::unique_ptr<EpisodeSource> Open(const fs::path& root) const override {
    return std::make_unique<BridgeSource>(root);
  }
};

}  // namespace

const Layout& BridgeLayout() {
  static const Bridge kLayout;
  return kLayout;
}

}  // namespace aim
