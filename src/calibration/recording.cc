#include "calibration/recording.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/codec/pose_csv.h"
#include "aim/data/layout.h"
#include "aim/data/open_episode.h"
#include "calibration/open_frames.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr double kDefaultPeriodS = 0.2;  // of poses and pictures that say none
constexpr int kFramesAtOnce = 16;
constexpr int kMostFrameDifference = 10;  // of poses and pictures: more cannot be an offset

using Readers = std::vector<std::shared_ptr<FrameReader>>;

double PeriodOf(const std::vector<PoseRow>& rows) {
  if (rows.size() < 2) return kDefaultPeriodS;
  const double period_s =
      (rows.back().time_s - rows.front().time_s) / static_cast<double>(rows.size() - 1);
  return period_s > 0 ? period_s : kDefaultPeriodS;
}

void VisitReaders(const Readers& readers, int num_frames, const VisitPicture& visit) {
  for (size_t view = 0; view < readers.size(); ++view) {
    const VideoFormat& format = readers[view]->info().format;
    Image image(format.width, format.height);
    readers[view]->VisitFrames(0, num_frames, 1, [&](int frame, std::span<const uint8_t> rgb) {
      image.rgb.assign(rgb.begin(), rgb.end());
      visit(view, frame, image);
    });
  }
}

// The camera gets the size of the pictures; `declared` keeps what it said.
void TakeCamera(CameraTrack track, int width, int height, ClipNumbers& numbers) {
  numbers.declared.push_back(static_cast<double>(track.frames[0].width) / width);
  for (Camera& camera : track.frames) {
    camera.width = width;
    camera.height = height;
  }
  numbers.cameras.push_back(std::move(track));
}

void CheckViews(const DoctorOptions& options, const std::vector<CameraTrack>& tracks,
                const Readers& readers) {
  if (tracks.size() != readers.size()) {
    throw InputError({.where = "--video",
                      .got = "given for " + CountText(static_cast<int64_t>(readers.size()), "view"),
                      .expected = std::to_string(tracks.size()) + ", as in " + options.cameras,
                      .fix = "give --video once a view, in the cameras' order"});
  }
  const int num_frames = readers[0]->info().num_frames;
  for (size_t view = 0; view < readers.size(); ++view) {
    const int other = readers[view]->info().num_frames;
    if (other != num_frames) {
      throw InputError({.where = options.video[view],
                        .got = CountText(other, "frame") + " long",
                        .expected = std::to_string(num_frames) + ", as " + options.video[0],
                        .fix = "cut the videos to the same frames"});
    }
    RequireCameraAFrame(tracks[view], static_cast<size_t>(num_frames), options.cameras);
  }
}

// A few rows too many or too few may be the very fault that is looked for.
int CommonFrames(size_t num_poses, int num_frames, const std::string& where) {
  const int rows = static_cast<int>(num_poses);
  if (std::abs(rows - num_frames) > kMostFrameDifference) {
    throw InputError({.where = where,
                      .got = "with " + CountText(rows, "row"),
                      .expected = std::to_string(num_frames) + ", one for each video frame",
                      .fix = "sample the poses at the times of the frames"});
  }
  if (rows != num_frames) {
    LogWarning(where + " has " + CountText(rows, "row") + " for " +
               CountText(num_frames, "video frame") + "; what both have is compared");
  }
  return std::min(rows, num_frames);
}

Recording FromFiles(const DoctorOptions& options, RunContext& run) {
  Recording recording;
  const std::vector<PoseRow> rows = ReadPosesCsv(options.poses);
  RequireEveryFrame(rows, options.poses);
  recording.period_s = PeriodOf(rows);
  std::vector<CameraTrack> tracks = ReadSuspectCamerasJson(options.cameras);
  Readers readers;
  for (const std::string& path : options.video) {
    readers.push_back(OpenFrames(path, 1 / recording.period_s));
    run.AddInput(path);
  }
  run.AddInput(options.poses);
  run.AddInput(options.cameras);
  CheckViews(options, tracks, readers);
  recording.num_frames = CommonFrames(rows.size(), readers[0]->info().num_frames, options.poses);
  recording.numbers.poses = ToolPoses(rows);
  for (size_t view = 0; view < tracks.size(); ++view) {
    const VideoFormat& format = readers[view]->info().format;
    TakeCamera(std::move(tracks[view]), format.width, format.height, recording.numbers);
  }
  recording.visit_pictures = [readers, count = recording.num_frames](const VisitPicture& visit) {
    VisitReaders(readers, count, visit);
  };
  return recording;
}

const EpisodeRef& FindEpisode(const DataSet& data, const std::string& name) {
  const EpisodeRef* found =
      name.empty() && !data.episodes().empty() ? &data.episodes()[0] : data.Find(name);
  if (found != nullptr) return *found;
  throw ConfigError(
      {.where = "--episode",
       .got = name,
       .expected = "an episode of " + data.root().string(),
       .fix = data.episodes().empty() ? "" : "the first is " + data.episodes()[0].name});
}

// All views, some frames at a time.
void VisitEpisode(OpenEpisode& episode, const VisitPicture& visit) {
  for (int begin = 0; begin < episode.num_frames(); begin += kFramesAtOnce) {
    const int end = std::min(begin + kFramesAtOnce, episode.num_frames());
    const Clip clip = episode.Read({begin, end}).clip;
    Image image(clip.width, clip.height);
    for (size_t view = 0; view < clip.views.size(); ++view) {
      for (int frame = begin; frame < end; ++frame) {
        const auto first = clip.views[view].rgb.begin() +
                           static_cast<std::ptrdiff_t>(image.rgb.size()) * (frame - begin);
        std::copy_n(first, image.rgb.size(), image.rgb.begin());
        visit(view, frame, image);
      }
    }
  }
}

Recording FromData(const DoctorOptions& options, RunContext& run) {
  const DataSet data = options.data.Open();
  run.AddInput(data.root());
  const EpisodeRef& ref = FindEpisode(data, options.episode);
  // Not DataSet::Open, which refuses cameras that see no tool.
  const std::shared_ptr<OpenEpisode> episode = data.layout().Open(data.root())->OpenSuspect(ref);
  if (!options.data.views.empty()) episode->KeepViews(options.data.views);
  const Episode& facts = episode->facts();
  RequireCameras(facts.clip, ref.name);
  Recording recording;
  recording.num_frames = episode->num_frames();
  recording.period_s = 1 / facts.clip.fps;
  for (CameraTrack& track : CamerasOf(facts.clip)) {
    TakeCamera(std::move(track), facts.clip.width, facts.clip.height, recording.numbers);
  }
  recording.numbers.rlbench_axes = data.layout().Limits().rlbench_axes;
  recording.numbers.poses = facts.measured.empty() ? facts.clip.poses : facts.measured;
  if (recording.numbers.poses.size() < 2) {
    throw InputError({.where = ref.name,
                      .got = "an episode without a pose a frame",
                      .expected = "poses to compare with the pictures",
                      .fix = ""});
  }
  recording.visit_pictures = [episode](const VisitPicture& visit) {
    VisitEpisode(*episode, visit);
  };
  return recording;
}

}  // namespace

Recording OpenRecording(const DoctorOptions& options, RunContext& run) {
  return options.video.empty() ? FromData(options, run) : FromFiles(options, run);
}

}  // namespace aim
