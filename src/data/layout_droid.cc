// DROID as the Action Images project keeps it.
//
//   <root>[/processed]/<episode>/video/ext1.mp4, ext2.mp4
//   <root>[/processed]/<episode>/instruction.txt        the first line
//   <root>[/processed]/<episode>/action.npz             "action" [T, 6] x y z (m, robot base) and
//                                                       Euler angles (extrinsic xyz, rad); or [T,
//                                                       7] with DROID's gripper: 0 open, 1 closed
//   <root>[/processed]/<episode>/camera.json            {"ext1": {"intrinsics": 3x3, "extrinsics":
//                                                       4x4 camera-to-base}}, OpenCV axes
//
// The world is the robot's base. Actions may be more than frames, by a whole number.
#include <algorithm>
#include <atomic>
#include <span>
#include <string>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/text.h"
#include "aim/data/layout.h"
#include "aim/format/json_reader.h"
#include "aim/format/npz.h"
#include "aim/geometry/value_error.h"
#include "aim/media/file_names.h"
#include "data/action_images_files.h"
#include "data/droid_files.h"
#include "data/processed_folders.h"
#include "data/view_videos.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kActionFile = "action.npz";

bool IsDroid(const fs::path& folder) {
  return fs::is_directory(folder / "video") &&
         (fs::exists(folder / kActionFile) || fs::exists(folder / kDroidCameraFile));
}

// By name: ext1 before ext2.
std::vector<ViewFile> DroidVideos(const fs::path& episode) {
  std::vector<ViewFile> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(episode / "video")) {
    if (!IsVideoName(entry.path())) continue;
    const std::string name = entry.path().stem().string();
    files.push_back({name, VideoNamed(episode / "video", name)});
  }
  std::sort(files.begin(), files.end(),
            [](const ViewFile& a, const ViewFile& b) { return a.name < b.name; });
  if (!files.empty()) return files;
  throw InputError({.where = (episode / "video").string(),
                    .got = "without videos",
                    .expected = "ext1.mp4, ext2.mp4",
                    .fix = "copy the episode again"});
}

// The array "action" of action.npz, [T, 6] or [T, 7].
NpyArray ReadActionArray(const fs::path& path) {
  NpyArray array = ReadNpzArray(path, {"action"});
  const bool is_action = array.type != NpyType::kUint8 && array.shape.size() == 2 &&
                         array.shape[0] > 0 && (array.shape[1] == 6 || array.shape[1] == 7);
  if (is_action) return array;
  throw InputError({.where = path.string() + " action",
                    .got = "of shape " + ShapeText(array.shape),
                    .expected = "floats [T, 6] or [T, 7]: x y z, three Euler angles, gripper",
                    .fix = ""});
}

std::vector<ToolPose> PosesOf(const NpyArray& array, const fs::path& path, int num_frames) {
  const std::vector<double> values = ToDoubles(array);
  const auto columns = static_cast<size_t>(array.shape[1]);
  const auto count = static_cast<size_t>(array.shape[0]);
  const int stride = ActionStride(count, static_cast<size_t>(num_frames));
  if (stride == 0) {
    throw PoseCountError({.where = path.string(),
                          .got = "with " + std::to_string(count) + " actions for " +
                                 std::to_string(num_frames) + " video frames",
                          .expected = "a whole number of actions a frame (within one at the end)",
                          .fix = "leave the episode out, or cut its videos to its actions"});
  }
  std::vector<ToolPose> poses;
  for (size_t row = 0; row < count && poses.size() < static_cast<size_t>(num_frames);
       row += static_cast<size_t>(stride)) {
    const std::span<const double> numbers = std::span(values).subspan(row * columns, columns);
    const double gripper = columns > kEulerPoseNumbers ? numbers.back() : 0;
    poses.push_back(DroidPose(numbers.first(kEulerPoseNumbers), gripper,
                              path.string() + " row " + std::to_string(row)));
  }
  return poses;
}

void ReadDroidCameras(const fs::path& path, CameraTrust trust, Clip& clip) {
  const nlohmann::json cameras = ReadJsonFile(path);
  for (ClipView& view : clip.views) {
    view.camera.frames = {
        DroidFileCamera(cameras, path, view.camera.name, clip.width, clip.height, trust)};
  }
}

class DroidSource : public EpisodeSource {
 public:
  explicit DroidSource(fs::path root) : root_(std::move(root)) {}

  std::vector<EpisodeRef> List() const override { return ListProcessed(root_, IsDroid); }

  std::unique_ptr<OpenEpisode> Open(const EpisodeRef& ref) const override {
    return OpenAs(ref, CameraTrust::kChecked);
  }

  std::unique_ptr<OpenEpisode> OpenSuspect(const EpisodeRef& ref) const override {
    return OpenAs(ref, CameraTrust::kSuspect);
  }

 private:
  std::unique_ptr<OpenEpisode> OpenAs(const EpisodeRef& ref, CameraTrust trust) const {
    auto videos = std::make_unique<ViewVideos>(DroidVideos(ref.path));
    Episode episode;
    episode.times_s = videos->times_s();
    Clip& clip = episode.clip = videos->EmptyClip();
    ReadDroidCameras(ref.path / kDroidCameraFile, trust, clip);
    const NpyArray actions = ReadActionArray(ref.path / kActionFile);
    if (actions.shape[1] == 6) WarnOfGripper(ref);
    clip.poses = PosesOf(actions, ref.path / kActionFile, videos->num_frames());
    clip.prompt = ReadInstruction(ref.path);
    const int num_frames = static_cast<int>(clip.poses.size());
    return std::make_unique<OpenEpisode>(std::move(episode), std::move(videos), num_frames,
                                         ref.path.string());
  }

  void WarnOfGripper(const EpisodeRef& ref) const {
    if (was_warned_.exchange(true)) return;
    LogWarning(ref.path.string() +
               ": its actions hold no gripper (6 columns); every pose is taken "
               "for open, in all episodes of this kind");
  }

  fs::path root_;
  mutable std::atomic<bool> was_warned_ = false;
};

class Droid : public Layout {
 public:
  std::string_view Name() const override { return "droid"; }

  std::string WhyNot(const fs::path& root) const override {
    return ListProcessed(root, IsDroid).empty()
               ? "no <episode>/video/ beside action.npz or camera.json in it"
               : "";
  }

  LayoutLimits Limits() const override {
    return {.cameras = true, .poses = true, .prompt = true, .many_sizes = true, .many_rates = true};
  }

  std::unique_ptr<EpisodeSource> Open(const fs::path& root) const override {
    return std::make_unique<DroidSource>(root);
  }
};

}  // namespace

const Layout& DroidLayout() {
  static const Droid kLayout;
  return kLayout;
}

}  // namespace aim
