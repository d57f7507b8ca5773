// Bridge videos as the Action Images project keeps them: no actions, cameras as VGGT finds them.
//
//   <root>[/processed]/<episode>/video/0.mp4, 1.mp4, ...
//   <root>[/processed]/<episode>/instruction.txt          one a line; the first is taken
//   <root>[/processed]/<episode>/vggt/0/extrinsic.npy     [V, 3, 4] world-to-camera, OpenCV axes
//   <root>[/processed]/<episode>/vggt/0/intrinsic.npy     [V, 3, 3]
//
// Scale and origin of the world are VGGT's own: distances are no metres.
#include <cmath>
#include <string>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/data/layout.h"
#include "aim/format/npy.h"
#include "data/camera_matrices.h"
#include "data/processed_folders.h"
#include "data/view_videos.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

// Of the sides of the picture that intrinsics were found for, from those of the video.
constexpr double kAspectTolerance = 0.02;

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

// [count, 3, columns] as matrices.
std::vector<Eigen::MatrixXd> ReadMatrices(const fs::path& path, size_t count, int columns) {
  const NpyArray array = ReadNpy(path);
  const std::vector<int64_t> shape = {static_cast<int64_t>(count), 3, columns};
  if (array.type == NpyType::kUint8 || array.shape != shape) {
    throw InputError({.where = path.string(),
                      .got = "of shape " + ShapeText(array.shape),
                      .expected = "floats " + ShapeText(shape) + ", one for each video",
                      .fix = ""});
  }
  const std::vector<double> values = ToDoubles(array);
  std::vector<Eigen::MatrixXd> matrices;
  for (size_t i = 0; i < count; ++i) {
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const size_t size = size_t{3} * static_cast<size_t>(columns);
    matrices.emplace_back(Eigen::Map<const RowMajor>(values.data() + i * size, 3, columns));
    if (matrices.back().allFinite()) continue;
    throw InputError({.where = path.string() + " [" + std::to_string(i) + "]",
                      .got = "a number that is not finite",
                      .expected = "finite numbers",
                      .fix = ""});
  }
  return matrices;
}

// VGGT sees pictures resized to a size of its own, and looks through their middle exactly: that
// tells the size, and with it how the intrinsics are scaled.
Eigen::Matrix3d AtVideoSize(Eigen::Matrix3d k, const Clip& clip, const std::string& where) {
  const double scale_x = clip.width / (2 * k(0, 2));
  const double scale_y = clip.height / (2 * k(1, 2));
  if (!(scale_x > 0 && std::abs(scale_y / scale_x - 1) <= kAspectTolerance)) {
    throw InputError({.where = where,
                      .got = "intrinsics of pictures of " + ToText(2 * k(0, 2)) + " x " +
                             ToText(2 * k(1, 2)) + " pixels",
                      .expected = "the shape of the video, " + SizeText(clip.width, clip.height),
                      .fix = "find the cameras again from whole frames of this video"});
  }
  k.row(0) *= scale_x;
  k.row(1) *= scale_y;
  return k;
}

void ReadVggtCameras(const fs::path& episode, Clip& clip) {
  const fs::path folder = episode / "vggt" / "0";
  const auto extrinsics = ReadMatrices(folder / "extrinsic.npy", clip.views.size(), 4);
  const auto intrinsics = ReadMatrices(folder / "intrinsic.npy", clip.views.size(), 3);
  for (size_t view = 0; view < clip.views.size(); ++view) {
    const std::string number = " [" + std::to_string(view) + "]";
    Eigen::Matrix4d camera_from_world = Eigen::Matrix4d::Identity();
    camera_from_world.topRows<3>() = extrinsics[view];
    const Rigid3d world_from_camera =
        Inverse(RigidFromMatrix(camera_from_world, (folder / "extrinsic.npy").string() + number));
    const std::string where = (folder / "intrinsic.npy").string() + number;
    clip.views[view].camera.frames = {
        CheckedOpenCvCamera(AtVideoSize(intrinsics[view], clip, where), world_from_camera,
                            clip.width, clip.height, where)};
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
