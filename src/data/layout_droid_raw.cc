// DROID as its robots recorded it, and as it was released ("droid_raw").
//
//   <lab>/success/<day>/<time>/metadata_<episode>.json   uuid, current_task, *_cam_serial; an
//   episode
//                                                        without it is not complete
//   <lab>/success/<day>/<time>/trajectory.h5             a row a step, 15 a second
//   .../<time>/recordings/MP4/<serial>.mp4               the left picture of a stereo camera, or
//   .../<time>/recordings/MP4/<serial>-stereo.mp4        both side by side: its left half is read
//   .../<time>/camera.json                               calibration, as in the processed form
//
// Frame k of a video is step k, whatever rate the file says; steps in which the robot was switched
// off (movement_enabled) are left out, and the clock stands still for them. The commanded pose of a
// frame is that of the step before. Intrinsics and better extrinsics come from the files that
// DroidAnnotations reads (droid_files.h).
#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <span>
#include <string>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"
#include "aim/data/layout.h"
#include "aim/format/json_reader.h"
#include "aim/media/file_names.h"
#include "aim/media/video.h"
#include "data/chosen_frames.h"
#include "data/droid_files.h"
#include "data/hdf5_file.h"
#include "data/left_half.h"
#include "data/marked_folders.h"
#include "data/view_videos.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTrajectoryFile = "trajectory.h5";
constexpr double kDroidFps = 15.0;  // the rate that its control loop keeps
constexpr std::array kDroidViews = {"ext1", "ext2", "wrist"};
constexpr const char* kDroidWrist = "wrist";
constexpr FolderMark kDroidMark = {.file = kTrajectoryFile, .max_depth = 6, .left_out = "failure"};

struct DroidView {
  std::string name;
  std::string serial;
};

struct DroidMetadata {
  std::string episode;  // its name in the files of DroidAnnotations
  std::string task;
  std::vector<DroidView> views;
};

std::vector<fs::path> MetadataFiles(const fs::path& episode) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(episode)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("metadata_") && name.ends_with(".json")) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

DroidMetadata ReadMetadata(const fs::path& episode) {
  const std::vector<fs::path> files = MetadataFiles(episode);
  if (files.size() != 1) {
    throw InputError({.where = episode.string(),
                      .got = files.empty() ? "without metadata_<episode>.json"
                                           : "with " + std::to_string(files.size()) +
                                                 " files metadata_<episode>.json",
                      .expected = "one, which says that the episode is complete",
                      .fix = "leave the episode out, or copy it again"});
  }
  const JsonReader file = JsonReader::OfFile(files[0]);
  DroidMetadata metadata{
      .episode = file.Text("uuid"), .task = file.Text("current_task", ""), .views = {}};
  for (const char* name : kDroidViews) {
    const std::string key = std::string(name) + "_cam_serial";
    const std::string serial = file.Text(key, "");
    if (serial.empty()) continue;
    const bool is_number =
        std::ranges::all_of(serial, [](unsigned char c) { return std::isdigit(c); });
    if (!is_number) file.Fail(key, "a camera's serial number");
    metadata.views.push_back({name, serial});
  }
  return metadata;
}

// Nothing where the view has no video.
std::optional<ViewFrames> OpenDroidVideo(const fs::path& episode, const DroidView& view) {
  const fs::path folder = episode / "recordings" / "MP4";
  const fs::path stereo = folder / (view.serial + "-stereo.mp4");
  const fs::path path = folder / (view.serial + ".mp4");
  if (!fs::exists(path)) {
    if (!fs::exists(stereo)) return std::nullopt;
    return ViewFrames{view.name, stereo,
                      std::make_unique<LeftHalf>(std::make_unique<VideoReader>(stereo), stereo)};
  }
  auto frames = std::make_unique<VideoReader>(path);
  const VideoFormat& format = frames->info().format;
  if (format.width > 2.5 * format.height) {
    throw InputError({.where = path.string(),
                      .got = SizeText(format.width, format.height) + ", two pictures side by side",
                      .expected = "the left one alone",
                      .fix = "rename it to " + stereo.filename().string()});
  }
  return ViewFrames{view.name, path, std::move(frames)};
}

// Those that are there: who copied the cameras beside the robot alone has no wrist.
std::vector<ViewFrames> OpenDroidVideos(const fs::path& episode, const DroidMetadata& metadata) {
  std::vector<ViewFrames> views;
  for (const DroidView& view : metadata.views) {
    if (auto found = OpenDroidVideo(episode, view)) views.push_back(std::move(*found));
  }
  if (!views.empty()) return views;
  throw InputError({.where = (episode / "recordings" / "MP4").string(),
                    .got = "without a video of the cameras that the metadata names",
                    .expected = "<serial>.mp4 or <serial>-stereo.mp4 of one at least",
                    .fix = "copy recordings/MP4; ZED's own files (SVO) are not read"});
}

// Which steps are frames, and when.
struct DroidSteps {
  std::vector<int> steps;
  std::vector<double> times_s;
  double fps = kDroidFps;

  bool FollowsItsStep(size_t frame) const {
    return frame > 0 && steps[frame] == steps[frame - 1] + 1;
  }
};

// A column of trajectory.h5 with as many rows as there are steps.
std::vector<double> StepRows(const Hdf5File& file, const std::string& name, size_t width,
                             size_t num_steps) {
  std::vector<double> rows = file.Rows(name, width);
  if (rows.size() == num_steps * width) return rows;
  throw InputError({.where = file.Where(name),
                    .got = "with " + CountText(static_cast<int64_t>(rows.size() / width), "row"),
                    .expected = std::to_string(num_steps) + ", as the arm has",
                    .fix = "copy the episode again"});
}

// `num_frames`: of the shortest video.
DroidSteps StepsOf(const Hdf5File& file, size_t num_steps, int num_frames) {
  const std::vector<double> time_ms =
      StepRows(file, "observation/timestamp/control/step_start", 1, num_steps);
  const std::string flag = "observation/controller_info/movement_enabled";
  const std::vector<double> is_enabled =
      file.Has(flag) ? StepRows(file, flag, 1, num_steps) : std::vector<double>(num_steps, 1);
  DroidSteps found;
  const auto count = std::min(num_steps, static_cast<size_t>(num_frames));
  for (size_t step = 0; step < count; ++step) {
    if (is_enabled[step] == 0) continue;
    found.steps.push_back(static_cast<int>(step));
    double time_s = 0;
    if (const size_t frame = found.steps.size() - 1; frame > 0) {
      const bool follows = found.FollowsItsStep(frame);
      const double passed_s = follows ? (time_ms[step] - time_ms[step - 1]) / 1000 : 1 / kDroidFps;
      if (!(passed_s > 0)) {
        throw InputError({.where = file.Where("observation/timestamp/control/step_start"),
                          .got = "not later in row " + std::to_string(step),
                          .expected = "times in milliseconds that rise",
                          .fix = "leave the episode out"});
      }
      time_s = found.times_s.back() + passed_s;
    }
    found.times_s.push_back(time_s);
  }
  if (found.steps.empty()) {
    throw InputError({.where = file.Where(flag),
                      .got = "false in every row",
                      .expected = "steps in which the robot moves",
                      .fix = "leave the episode out"});
  }
  found.fps = RecordedRate(found.times_s, kDroidFps);
  return found;
}

std::vector<ToolPose> RowPoses(const Hdf5File& file, const std::string& group, size_t num_steps) {
  const std::string arm = group + "/cartesian_position";
  const std::vector<double> rows = StepRows(file, arm, kEulerPoseNumbers, num_steps);
  const std::vector<double> gripper = StepRows(file, group + "/gripper_position", 1, num_steps);
  std::vector<ToolPose> poses;
  for (size_t step = 0; step < num_steps; ++step) {
    poses.push_back(DroidPose(std::span(rows).subspan(step * kEulerPoseNumbers, kEulerPoseNumbers),
                              gripper[step], file.Where(arm) + " row " + std::to_string(step)));
  }
  return poses;
}

void FillPoses(const Hdf5File& file, const DroidSteps& steps, size_t num_steps, Episode& episode) {
  const std::vector<ToolPose> measured = RowPoses(file, "observation/robot_state", num_steps);
  const std::vector<ToolPose> commanded = RowPoses(file, "action", num_steps);
  for (size_t frame = 0; frame < steps.steps.size(); ++frame) {
    const auto step = static_cast<size_t>(steps.steps[frame]);
    episode.measured.push_back(measured[step]);
    episode.clip.poses.push_back(steps.FollowsItsStep(frame) ? commanded[step - 1]
                                                             : measured[step]);
  }
}

bool AreZeros(std::span<const double> numbers) {
  return std::ranges::all_of(numbers, [](double number) { return number == 0; });
}

// The cameras of an episode, from wherever they stand.
class DroidCameras {
 public:
  DroidCameras(const fs::path& episode, const Hdf5File& file, const DroidMetadata& metadata,
               const DroidAnnotations& annotations, CameraTrust trust)
      : path_(episode / kDroidCameraFile),
        file_(file),
        metadata_(metadata),
        annotations_(annotations),
        trust_(trust) {
    if (fs::exists(path_)) beside_ = ReadJsonFile(path_);
  }

  // Leaves the track empty where the view is not calibrated.
  void Fill(const DroidSteps& steps, size_t num_steps, int width, int height,
            CameraTrack& track) const {
    if (beside_.is_object() && beside_.contains(track.name)) {
      track.frames = {DroidFileCamera(beside_, path_, track.name, width, height, trust_)};
      return;
    }
    const auto view = std::ranges::find(metadata_.views, track.name, &DroidView::name);
    const std::optional<DroidIntrinsics> intrinsics = IntrinsicsOf(view->serial, num_steps);
    if (!intrinsics) return;
    const std::vector<Rigid3d> places = PlacesOf(*view, num_steps);
    if (places.empty()) return;
    const std::string where = metadata_.episode + ", camera " + track.name;
    for (const int step : steps.steps) {
      const Rigid3d& place = places.size() == 1 ? places[0] : places[static_cast<size_t>(step)];
      track.frames.push_back(DroidCamera(*intrinsics, place, width, height, where, trust_));
    }
    MergeEqualFrames(track);
  }

 private:
  // A lens does not change within an episode.
  std::optional<DroidIntrinsics> IntrinsicsOf(const std::string& serial, size_t num_steps) const {
    const std::string name = "observation/camera_intrinsics/" + serial + "_left";
    if (!file_.Has(name)) return annotations_.Intrinsics(metadata_.episode, serial);
    const std::vector<double> rows = StepRows(file_, name, 9, num_steps);
    DroidIntrinsics found;
    found.matrix = Eigen::Map<const Eigen::Matrix<double, 3, 3, Eigen::RowMajor>>(rows.data());
    return found;
  }

  // One, or one a step; none where it is not calibrated. The hand's moves, and is known from the
  // recording alone.
  std::vector<Rigid3d> PlacesOf(const DroidView& view, size_t num_steps) const {
    if (view.name != kDroidWrist) {
      if (const auto place = annotations_.BaseFromCamera(metadata_.episode, view.serial)) {
        return {*place};
      }
    }
    const std::string name = "observation/camera_extrinsics/" + view.serial + "_left";
    if (!file_.Has(name)) return {};
    const std::vector<double> rows = StepRows(file_, name, kEulerPoseNumbers, num_steps);
    std::vector<Rigid3d> places;
    for (size_t step = 0; step < num_steps; ++step) {
      const auto row = std::span(rows).subspan(step * kEulerPoseNumbers, kEulerPoseNumbers);
      if (AreZeros(row)) return {};  // in the base: never calibrated
      places.push_back(RigidFromEulerPose(row));
    }
    return places;
  }

  fs::path path_;
  nlohmann::json beside_;
  const Hdf5File& file_;
  const DroidMetadata& metadata_;
  const DroidAnnotations& annotations_;
  CameraTrust trust_;
};

// The views' frames as those of the steps. Their number may be off by one at the end.
DroidSteps ChooseSteps(const Hdf5File& file, size_t num_steps, std::vector<ViewFrames>& views) {
  int num_frames = static_cast<int>(num_steps);
  for (const ViewFrames& view : views) {
    const int count = view.frames->info().num_frames;
    num_frames = std::min(num_frames, count);
    if (std::abs(count - static_cast<int>(num_steps)) <= 1) continue;
    throw InputError({.where = view.path.string(),
                      .got = CountText(count, "frame") + " long",
                      .expected = std::to_string(num_steps) + " within one, the steps of " +
                                  std::string(kTrajectoryFile),
                      .fix = "leave the episode out: which step a frame is of is not known"});
  }
  const DroidSteps steps = StepsOf(file, num_steps, num_frames);
  for (ViewFrames& view : views) {
    view.frames = std::make_unique<ChosenFrames>(std::move(view.frames), steps.steps, steps.times_s,
                                                 steps.fps);
  }
  return steps;
}

class DroidRawSource : public EpisodeSource {
 public:
  explicit DroidRawSource(fs::path root) : root_(std::move(root)), annotations_(root_) {}

  std::vector<EpisodeRef> List() const override {
    MarkedFolders found = ListMarkedFolders(root_, kDroidMark);
    if (!found.left_out.empty()) {
      LogWarning(root_.string() + ": what did not succeed is left out (" +
                 CountText(std::ssize(found.left_out), "folder") + ", the first is " +
                 found.left_out[0].string() + "): give such a folder to read it");
    }
    return std::move(found.episodes);
  }

  // Of what is read: ZED's recordings and small pictures beside them are most of an episode.
  std::string Stamp(const EpisodeRef& ref) const override {
    std::string stamp = annotations_.Stamp();
    for (const char* part : {kTrajectoryFile, "recordings/MP4", kDroidCameraFile}) {
      stamp += FileStamp(ref.path / part);
    }
    for (const fs::path& file : MetadataFiles(ref.path)) stamp += FileStamp(file);
    return HexText(StableHash(stamp));
  }

  std::unique_ptr<OpenEpisode> Open(const EpisodeRef& ref) const override {
    return OpenAs(ref, CameraTrust::kChecked);
  }

  std::unique_ptr<OpenEpisode> OpenSuspect(const EpisodeRef& ref) const override {
    return OpenAs(ref, CameraTrust::kSuspect);
  }

 private:
  std::unique_ptr<OpenEpisode> OpenAs(const EpisodeRef& ref, CameraTrust trust) const {
    const DroidMetadata metadata = ReadMetadata(ref.path);
    const Hdf5File file(ref.path / kTrajectoryFile);
    const size_t num_steps = file.Rows("observation/robot_state/gripper_position").size();
    std::vector<ViewFrames> views = OpenDroidVideos(ref.path, metadata);
    const DroidSteps steps = ChooseSteps(file, num_steps, views);
    auto videos = std::make_unique<ViewVideos>(std::move(views));
    Episode episode;
    episode.times_s = steps.times_s;
    Clip& clip = episode.clip = videos->EmptyClip();
    const std::string instruction = annotations_.Instruction(metadata.episode);
    clip.prompt = instruction.empty() ? metadata.task : instruction;
    FillPoses(file, steps, num_steps, episode);
    const DroidCameras cameras(ref.path, file, metadata, annotations_, trust);
    for (ClipView& view : clip.views) {
      cameras.Fill(steps, num_steps, clip.width, clip.height, view.camera);
      if (view.camera.frames.empty()) WarnOfCamera(ref, view.camera.name);
    }
    const int num_frames = videos->num_frames();
    return std::make_unique<OpenEpisode>(std::move(episode), std::move(videos), num_frames,
                                         ref.path.string());
  }

  void WarnOfCamera(const EpisodeRef& ref, const std::string& view) const {
    if (was_warned_.exchange(true)) return;
    LogWarning(ref.path.string() + ": no calibration of " + view +
               " (intrinsics.json of DROID's annotations beside the data, or camera.json beside "
               "the episode): usable for video only, as others that lack it");
  }

  fs::path root_;
  DroidAnnotations annotations_;
  mutable std::atomic<bool> was_warned_ = false;
};

class DroidRaw : public Layout {
 public:
  std::string_view Name() const override { return "droid-raw"; }

  std::string WhyNot(const fs::path& root) const override {
    return HasMarkedFolder(root, kDroidMark) ? ""
                                             : "no <lab>/success/<day>/<time>/trajectory.h5 in it";
  }

  LayoutLimits Limits() const override {
    return {.cameras = true,
            .poses = true,
            .measured = true,
            .prompt = true,
            .many_sizes = true,
            .many_rates = true};
  }

  std::unique_ptr<EpisodeSource> Open(const fs::path& root) const override {
    return std::make_unique<DroidRawSource>(root);
  }
};

}  // namespace

const Layout& DroidRawLayout() {
  static const DroidRaw kLayout;
  return kLayout;
}

}  // namespace aim
