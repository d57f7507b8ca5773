#include "pipeline/clip_input.h"

#include <array>
#include <iterator>
#include <sstream>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/text.h"
#include "aim/base/utf8.h"
#include "aim/codec/pose_csv.h"
#include "aim/codec/rig_check.h"
#include "aim/data/cut_clip.h"
#include "aim/data/fit_view.h"
#include "aim/media/frame_times.h"
#include "aim/media/image.h"
#include "aim/media/video.h"
#include "pipeline/clip_rate.h"

namespace aim {
namespace {

// A picture or a whole video of one view, with its cameras, at its own size.
struct RawView {
  std::string path;
  int width = 0;
  int height = 0;
  double fps = 0;               // 0 for a picture
  std::vector<double> times_s;  // of a video's frames
  ClipView view;
};

RawView ReadPicture(const std::string& path) {
  Image image = ReadImage(path);
  RawView raw;
  raw.path = path;
  raw.width = image.width;
  raw.height = image.height;
  raw.view.num_frames = 1;
  raw.view.rgb = std::move(image.rgb);
  return raw;
}

void CheckRate(const std::string& path, double fps, const BundleConfig& config) {
  if (!IsModelRate(fps, config.fps)) WarnOfRate(path, fps, config.fps);
}

void CheckLength(const std::string& where, size_t count, const std::string& noun, int num_frames,
                 const std::string& fix) {
  if (count <= static_cast<size_t>(num_frames)) return;
  throw InputError({.where = where,
                    .got = CountText(static_cast<int64_t>(count), noun) + " long",
                    .expected = "at most " + std::to_string(num_frames) + ", a clip of this model",
                    .fix = fix});
}

// Its length is known before a picture is decoded: a long video costs no memory.
RawView ReadClipVideo(const std::string& path, const BundleConfig& config) {
  VideoReader reader(path);
  const VideoInfo& info = reader.info();
  CheckLength(path, static_cast<size_t>(info.num_frames), "frame", config.num_frames,
              "use aim-label for long videos");
  CheckRate(path, info.format.fps, config);
  const std::string uneven = DescribeUnevenTimes(info.times_s, info.format.fps);
  if (!uneven.empty()) {
    LogWarning(path + " has uneven times (" + uneven + "); frames are taken one by one");
  }
  RawView raw;
  raw.path = path;
  raw.width = info.format.width;
  raw.height = info.format.height;
  raw.fps = info.format.fps;
  raw.times_s = info.times_s;
  raw.view.num_frames = info.num_frames;
  reader.VisitFrames(0, info.num_frames, 1, [&raw](int, std::span<const uint8_t> rgb) {
    raw.view.rgb.insert(raw.view.rgb.end(), rgb.begin(), rgb.end());
  });
  return raw;
}

void CheckSameMoments(const RawView& raw, const RawView& first) {
  const std::string fix = "cut the videos to the same frames";
  if (raw.view.num_frames != first.view.num_frames) {
    throw InputError({.where = raw.path,
                      .got = CountText(std::ssize(raw.times_s), "frame") + " long",
                      .expected = std::to_string(first.view.num_frames) + " as " + first.path,
                      .fix = fix});
  }
  const std::string apart = DescribeTimesApart(raw.times_s, first.times_s, first.fps);
  if (apart.empty()) return;
  throw InputError({.where = raw.path,
                    .got = "a video whose " + apart,
                    .expected = "the times of " + first.path,
                    .fix = fix});
}

std::vector<RawView> ReadRawViews(const GenerateClipOptions& options,
                                  const ClipGenerator& generator) {
  const bool is_video = InputsOf(generator.mode()).whole_video;
  const std::vector<std::string>& paths = is_video ? options.video : options.view;
  const BundleConfig& config = generator.config();
  if (paths.size() != static_cast<size_t>(config.num_views)) {
    throw ConfigError(
        {.where = is_video ? "--video" : "--view",
         .got = "given for " + CountText(std::ssize(paths), "view"),
         .expected = std::to_string(config.num_views) + ", the number this model was trained for",
         .fix = ""});
  }
  std::vector<RawView> views;
  for (const std::string& path : paths) {
    views.push_back(is_video ? ReadClipVideo(path, config) : ReadPicture(path));
    if (is_video) CheckSameMoments(views.back(), views[0]);
  }
  return views;
}

// Puts the cameras beside the pictures. A view has one camera or one for each of `num_frames`.
void AddCameras(const std::string& path, int num_frames, std::vector<RawView>& views) {
  const std::vector<CameraTrack> tracks = ReadCamerasJson(path);
  if (tracks.size() != views.size()) {
    throw InputError({.where = path,
                      .got = "with " + CountText(std::ssize(tracks), "view"),
                      .expected = std::to_string(views.size()) + ", one for each picture or video",
                      .fix = ""});
  }
  for (size_t v = 0; v < views.size(); ++v) {
    const std::string where = path + ": views[" + std::to_string(v) + "]";
    const Camera& camera = tracks[v].frames[0];
    if (camera.width != views[v].width || camera.height != views[v].height) {
      throw InputError(
          {.where = where,
           .got = "a camera of " + SizeText(camera.width, camera.height) + " pixels",
           .expected = SizeText(views[v].width, views[v].height) + ", the size of " + views[v].path,
           .fix = "scale its intrinsics to the picture"});
    }
    const size_t count = tracks[v].frames.size();
    if (count != 1 && count != static_cast<size_t>(num_frames)) {
      throw InputError(
          {.where = where + ".world_from_camera",
           .got = "a list of " + CountText(static_cast<int64_t>(count), "transform"),
           .expected = "1, or one for each of " + std::to_string(num_frames) + " frames",
           .fix = ""});
    }
    views[v].view.camera = tracks[v];
  }
}

std::vector<ToolPose> ReadAllPoses(const std::string& path, const BundleConfig& config) {
  const std::vector<PoseRow> rows = ReadPosesCsv(path);
  CheckLength(path, rows.size(), "row", config.num_frames, "cut it to one clip");
  RequireEveryFrame(rows, path);
  if (rows.size() > 1 && rows.back().time_s > rows[0].time_s) {
    const double span_s = rows.back().time_s - rows[0].time_s;
    CheckRate(path, static_cast<double>(rows.size() - 1) / span_s, config);
  }
  return ToolPoses(rows);
}

}  // namespace

ToolPose ParsePose(const std::string& text, const std::string& where) {
  std::istringstream stream(text);
  std::array<double, 8> numbers{};
  size_t count = 0;
  bool finite = true;
  for (std::string word; stream >> word; ++count) {
    char* end = nullptr;
    const double number = std::strtod(word.c_str(), &end);
    finite = finite && *end == '\0' && std::isfinite(number);
    if (count < numbers.size()) numbers[count] = number;
  }
  if (count != numbers.size() || !finite) {
    throw InputError({.where = where,
                      .got = '"' + text + '"',
                      .expected = "8 finite numbers \"x y z qx qy qz qw open\"",
                      .fix = ""});
  }
  return ToolPoseFromNumbers(numbers, where);
}

ClipInput ReadClipInput(const GenerateClipOptions& options, const ClipGenerator& generator) {
  const BundleConfig& config = generator.config();
  const ModeInputs inputs = InputsOf(generator.mode());
  ClipInput input;
  input.num_frames = config.num_frames;
  std::vector<RawView> views = ReadRawViews(options, generator);
  if (inputs.whole_video) input.num_frames = views[0].view.num_frames;
  input.times_s = views[0].times_s;
  Clip& clip = input.clip;
  if (inputs.all_poses) {
    clip.poses = ReadAllPoses(options.poses, config);
    input.num_frames = static_cast<int>(clip.poses.size());
  }
  AddCameras(options.cameras, input.num_frames, views);
  clip.height = config.image_height;
  clip.width = config.image_width;
  clip.fps = config.fps;
  clip.prompt = ToUtf8(options.prompt);
  for (const RawView& raw : views) {
    clip.views.push_back(FitView(raw.view, raw.width, raw.height, clip.width, clip.height));
  }
  if (input.num_frames < config.num_frames) clip = CutClip(clip, 0, config.num_frames);
  if (!options.first_pose.empty()) {
    clip.poses = {ParsePose(options.first_pose, "--first-pose")};
    input.first_pose_given = true;
  }
  if (!clip.poses.empty()) WarnOfRig(CamerasOf(clip), clip.poses, options.cameras);
  return input;
}

}  // namespace aim
