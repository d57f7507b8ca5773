#include "aim/data/action_video.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/text.h"
#include "aim/codec/pose_csv.h"
#include "aim/codec/rig_check.h"
#include "aim/format/npy.h"
#include "aim/media/file_names.h"
#include "aim/media/image.h"
#include "aim/media/picture_folder.h"
#include "aim/media/preview.h"
#include "aim/media/video.h"
#include "data/padded_number.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr double kDefaultFps = 5.0;        // RLBench and the released model
constexpr double kUnevenFraction = 0.1;    // of the mean period that one may differ from it
constexpr float kOtherConvention = -0.5f;  // what action images in [-1, 1] are full of
constexpr double kOtherShare = 0.01;
constexpr double kCertain = 0.5;     // a confidence that needs no other explanation
constexpr size_t kSampleFrames = 8;  // that a hypothesis about the cameras is tried on

std::string FrameName(size_t frame) {
  return PaddedNumber(static_cast<int64_t>(frame), 6) + ".png";
}

// ---- Encoding

// [3, H, W] in [0, 1] to [H, W, 3] bytes.
std::vector<uint8_t> ToBytes(std::span<const float> picture) {
  const size_t plane = picture.size() / 3;
  std::vector<uint8_t> bytes(picture.size());
  for (size_t channel = 0; channel < 3; ++channel) {
    for (size_t i = 0; i < plane; ++i) {
      bytes[3 * i + channel] = static_cast<uint8_t>(picture[channel * plane + i] * 255.0f + 0.5f);
    }
  }
  return bytes;
}

// Frames a second that the times of the rows say; the default, said aloud, if they say none.
double FramesPerSecond(const std::vector<PoseRow>& rows, const std::string& file) {
  const double duration_s = rows.back().time_s - rows.front().time_s;
  if (!(duration_s > 0)) {
    LogWarning(file + ": one row, or rows without times; the videos get " + ToText(kDefaultFps) +
               " frames a second");
    return kDefaultFps;
  }
  const double period_s = duration_s / static_cast<double>(rows.size() - 1);
  for (size_t i = 1; i < rows.size(); ++i) {
    const double step_s = rows[i].time_s - rows[i - 1].time_s;
    if (std::abs(step_s - period_s) <= kUnevenFraction * period_s) continue;
    throw InputError(
        {file + ": time_s",
         "unevenly spaced (" + ToText(step_s) + " s before frame " + std::to_string(rows[i].frame) +
             ", " + ToText(period_s) + " s on average)",
         "one frame rate", "resample the poses, or write npy or png, which have no rate"});
  }
  return 1 / period_s;
}

struct EncodeJob {
  std::vector<ToolPose> poses;
  CameraTrack camera;
  double fps = kDefaultFps;

  const Camera& At(size_t frame) const { return camera.at(frame); }
  size_t FrameValues() const {
    return 3 * static_cast<size_t>(At(0).width) * static_cast<size_t>(At(0).height);
  }
};

void WriteNpyView(const EncodeJob& job, const fs::path& path) {
  std::vector<float> video(job.poses.size() * job.FrameValues());
  for (size_t frame = 0; frame < job.poses.size(); ++frame) {
    DrawActionImageInto(job.poses[frame], job.At(frame), {},
                        std::span(video).subspan(frame * job.FrameValues(), job.FrameValues()));
  }
  WriteNpy(path, {static_cast<int64_t>(job.poses.size()), 3, job.At(0).height, job.At(0).width},
           video);
}

template <class Consume>
void ForEachByteFrame(const EncodeJob& job, const Consume& consume) {
  std::vector<float> picture(job.FrameValues());
  for (size_t frame = 0; frame < job.poses.size(); ++frame) {
    DrawActionImageInto(job.poses[frame], job.At(frame), {}, picture);
    consume(frame, ToBytes(picture));
  }
}

void WritePngView(const EncodeJob& job, const fs::path& folder) {
  Image image(job.At(0).width, job.At(0).height);
  ForEachByteFrame(job, [&](size_t frame, std::vector<uint8_t> rgb) {
    image.rgb = std::move(rgb);
    WriteImage(folder / FrameName(frame), image);
  });
}

void WriteMp4View(const EncodeJob& job, const fs::path& path) {
  PreviewedVideoWriter writer(path, {job.At(0).width, job.At(0).height, job.fps});
  Image image(job.At(0).width, job.At(0).height);
  ForEachByteFrame(job, [&](size_t, std::vector<uint8_t> rgb) {
    image.rgb = std::move(rgb);
    writer.Append(image);
  });
  writer.Finish();
}

// ---- Decoding

// The action video of one view, as floats or as bytes.
struct ViewFile {
  std::string path;
  int num_frames = 0;
  int width = 0;
  int height = 0;
  double fps = 0;               // 0 if the file does not say
  std::vector<double> times_s;  // of each frame; empty if the file does not say
  std::vector<float> floats;    // [T, 3, H, W]
  std::vector<uint8_t> bytes;   // [T, H, W, 3]
};

ViewFile ReadNpyView(const std::string& path) {
  NpyArray array = ReadNpy(path);
  if (array.type != NpyType::kFloat32 || array.shape.size() != 4 || array.shape[1] != 3) {
    std::string shape;
    for (const int64_t size : array.shape)
      shape += (shape.empty() ? "" : ", ") + std::to_string(size);
    throw InputError(
        {path,
         "an array [" + shape + "]" + (array.type == NpyType::kFloat32 ? "" : " of another type"),
         "float32 [T, 3, H, W] in [0, 1]", ""});
  }
  ViewFile view{.path = path,
                .num_frames = static_cast<int>(array.shape[0]),
                .width = static_cast<int>(array.shape[3]),
                .height = static_cast<int>(array.shape[2]),
                .fps = 0,
                .times_s = {},
                .floats = ToFloats(array),
                .bytes = {}};
  const auto refuse = [&](const std::string& got) {
    throw InputError(
        {path, got, "action images in [0, 1]", "divide bytes by 255; map [-1, 1] to [0, 1]"});
  };
  size_t low = 0;
  for (const float value : view.floats) {
    if (!(value >= -1.0f && value <= 2.0f)) refuse("a value " + ToText(static_cast<double>(value)));
    low += value < kOtherConvention ? 1 : 0;
  }
  if (static_cast<double>(low) > kOtherShare * static_cast<double>(view.floats.size())) {
    refuse("images in [-1, 1] (" + std::to_string(low) + " values below -0.5)");
  }
  return view;
}

ViewFile ReadPngView(const std::string& path) {
  PictureFolder pictures(path, kDefaultFps);
  const VideoInfo& info = pictures.info();
  CheckPixelMemory(info.num_frames, info.format.width, info.format.height, path);
  ViewFile view{.path = path,
                .num_frames = info.num_frames,
                .width = info.format.width,
                .height = info.format.height,
                .times_s = {},
                .floats = {},
                .bytes = {}};
  pictures.VisitFrames(0, info.num_frames, 1, [&view](int, std::span<const uint8_t> rgb) {
    view.bytes.insert(view.bytes.end(), rgb.begin(), rgb.end());
  });
  return view;
}

ViewFile ReadView(const std::string& path) {
  if (fs::is_directory(path)) return ReadPngView(path);
  if (LowerExtension(path) == ".npy") return ReadNpyView(path);
  if (!IsVideoName(path)) {
    throw InputError(
        {path, fs::exists(path) ? "of another kind" : "missing",
         "a .npy file, a video (" + std::string(VideoNames()) + ") or a folder of 000000.png", ""});
  }
  Video video = ReadVideo(path);
  return {.path = path,
          .num_frames = video.num_frames,
          .width = video.format.width,
          .height = video.format.height,
          .fps = video.format.fps,
          .times_s = std::move(video.times_s),
          .floats = {},
          .bytes = std::move(video.rgb)};
}

void CheckView(const ViewFile& view, const ViewFile& first, const CameraTrack& camera) {
  const Camera& expected = camera.at(0);
  if (view.num_frames < 1) throw InputError({view.path, "without frames", "at least one", ""});
  if (view.width != expected.width || view.height != expected.height) {
    throw InputError({view.path, std::to_string(view.width) + " x " + std::to_string(view.height),
                      std::to_string(expected.width) + " x " + std::to_string(expected.height) +
                          " as camera \"" + camera.name + "\" says",
                      "give the views in the cameras' order, or rescale the cameras"});
  }
  if (view.num_frames != first.num_frames) {
    throw InputError({view.path, CountText(view.num_frames, "frame") + " long",
                      std::to_string(first.num_frames) + ", as " + first.path, ""});
  }
}

// One frame of all views. Views of bytes and of floats may be mixed: then all become floats.
DecodedPose DecodeViews(const std::vector<ViewFile>& views, size_t frame,
                        const std::vector<Camera>& cameras, bool all_bytes,
                        const DecoderOptions& options) {
  std::vector<std::span<const uint8_t>> byte_pictures;
  std::vector<std::vector<float>> converted;
  std::vector<std::span<const float>> float_pictures;
  for (const ViewFile& view : views) {
    const size_t size = 3 * static_cast<size_t>(view.width) * static_cast<size_t>(view.height);
    if (all_bytes) {
      byte_pictures.push_back(std::span(view.bytes).subspan(frame * size, size));
    } else if (!view.floats.empty()) {
      float_pictures.push_back(std::span(view.floats).subspan(frame * size, size));
    } else {
      std::vector<float> picture(size);
      for (size_t i = 0; i < size; ++i) {
        picture[(i % 3) * (size / 3) + i / 3] =
            static_cast<float>(view.bytes[frame * size + i]) / 255.0f;
      }
      converted.push_back(std::move(picture));
      float_pictures.push_back(converted.back());
    }
  }
  return all_bytes ? DecodeFrame(byte_pictures, cameras, options)
                   : DecodeFrame(float_pictures, cameras, options);
}

using Views = std::vector<ViewFile>;

Plan DecodePlan(const Views& views, std::span<const CameraTrack> tracks, size_t stride,
                const DecoderOptions& options) {
  const bool all_bytes =
      std::all_of(views.begin(), views.end(), [](const ViewFile& v) { return v.floats.empty(); });
  Plan plan;
  for (size_t frame = 0; frame < static_cast<size_t>(views.front().num_frames); frame += stride) {
    std::vector<Camera> cameras;
    for (const CameraTrack& track : tracks) cameras.push_back(track.at(frame));
    plan.frames.push_back(DecodeViews(views, frame, cameras, all_bytes, options));
  }
  return plan;
}

// Blobs in two views that no pose explains, in most frames, are cameras of something else; so are
// poses of low confidence that another reading of the cameras makes certain.
void CheckAgreement(const Plan& plan, const Views& views, std::span<const CameraTrack> tracks,
                    const DecodeOptions& options, const DecoderOptions& decoder) {
  const auto num_bad = std::count_if(plan.frames.begin(), plan.frames.end(), [&](const auto& f) {
    return ViewsContradict(f, options.min_confidence);
  });
  const bool contradict = 2 * static_cast<size_t>(num_bad) > plan.frames.size();
  const double confidence = MedianConfidence(plan.frames);
  if (!contradict && confidence >= kCertain) return;
  const size_t stride = (plan.frames.size() + kSampleFrames - 1) / kSampleFrames;
  double best = 0;
  const std::string hypothesis = ExplainRig(tracks, [&](std::span<const CameraTrack> cameras) {
    const double found = MedianConfidence(DecodePlan(views, cameras, stride, decoder).frames);
    best = std::max(best, found);
    return found;
  });
  if (!contradict && (hypothesis.empty() || best < 2 * confidence)) return;
  throw InputError({options.cameras,
                    "contradicted by the pictures: no pose fits both views in " +
                        std::to_string(num_bad) + " of " + std::to_string(plan.frames.size()) +
                        " frames, the median confidence is " + ToText(confidence),
                    "the cameras that the pictures were drawn with, in the order of --images",
                    hypothesis.empty() ? "check the cameras, or the pictures show no actions"
                                       : "the data reads like " + hypothesis});
}

void RequireFlag(const std::string& value, const std::string& flag, const std::string& expected) {
  if (value.empty()) throw ConfigError({flag, "missing", expected, ""});
}

}  // namespace

void EncodeOptions::Validate() const {
  RequireFlag(poses, "--poses", "a poses.csv file");
  RequireFlag(cameras, "--cameras", "a cameras.json file");
}

void DecodeOptions::Validate() const {
  if (images.empty()) throw ConfigError({"--images", "missing", "one action video a view", ""});
  RequireFlag(cameras, "--cameras", "a cameras.json file");
}

nlohmann::json ToJson(const EncodeReport& report) {
  return {{"frames", report.num_frames}, {"views", report.num_views}, {"files", report.files}};
}

nlohmann::json ToJson(const DecodeReport& report) {
  return {{"frames", report.num_frames},
          {"decoded", report.num_decoded},
          {"from_prior", report.num_from_prior},
          {"median_confidence", report.median_confidence}};
}

EncodeReport RunEncode(const EncodeOptions& options, RunContext& run) {
  options.Validate();
  const std::vector<PoseRow> rows = ReadPosesCsv(options.poses);
  const std::vector<CameraTrack> tracks = ReadCamerasJson(options.cameras);
  for (const CameraTrack& track : tracks) RequireCameraAFrame(track, rows.size(), options.cameras);
  RequireEveryFrame(rows, options.poses);
  const std::vector<ToolPose> poses = ToolPoses(rows);
  WarnOfRig(tracks, poses, options.cameras);
  const bool has_rate = options.format == ActionVideoFormat::kMp4;
  const double fps = has_rate ? FramesPerSecond(rows, options.poses) : kDefaultFps;
  run.PrepareOutFolder(OutUse::kNew);
  std::vector<std::string> files;
  for (size_t view = 0; view < tracks.size(); ++view) {
    const EncodeJob job{poses, tracks[view], fps};
    const std::string name = "view" + std::to_string(view);
    if (options.format == ActionVideoFormat::kNpy) {
      files.push_back(name + ".npy");
      WriteNpyView(job, run.out() / (name + ".npy"));
    } else if (options.format == ActionVideoFormat::kPng) {
      files.push_back(name);
      WritePngView(job, run.out() / name);
    } else {
      files.push_back(name + ".mp4");
      files.push_back(PreviewPath(name + ".mp4").string());
      WriteMp4View(job, run.out() / (name + ".mp4"));
    }
  }
  run.CommitOut();
  return {static_cast<int64_t>(rows.size()), static_cast<int64_t>(tracks.size()), files};
}

DecodeReport RunDecode(const DecodeOptions& options, RunContext& run) {
  options.Validate();
  const std::vector<CameraTrack> tracks = ReadCamerasJson(options.cameras);
  if (options.images.size() != tracks.size()) {
    throw InputError({"--images", "given for " + CountText(std::ssize(options.images), "view"),
                      std::to_string(tracks.size()) + ", as in " + options.cameras,
                      "give --images once a view, in the cameras' order"});
  }
  std::vector<ViewFile> views;
  for (size_t view = 0; view < tracks.size(); ++view) {
    views.push_back(ReadView(options.images[view]));
    CheckView(views.back(), views.front(), tracks[view]);
    RequireCameraAFrame(tracks[view], static_cast<size_t>(views.front().num_frames),
                        options.cameras);
  }
  const DecoderOptions decoder{{}, options.temporal_prior, options.min_confidence};
  Plan plan = DecodePlan(views, tracks, 1, decoder);
  CheckAgreement(plan, views, tracks, options, decoder);
  const double own_fps = views.front().fps > 0 ? views.front().fps : kDefaultFps;
  plan.period_s = 1.0 / (options.fps > 0 ? options.fps : own_fps);
  if (options.temporal_prior) FillFromNeighbours(plan.frames, options.min_confidence);
  run.PrepareOutFile();
  // An fps that was asked for goes before the times of the files.
  WritePosesCsv(run.out(), plan, options.fps > 0 ? std::vector<double>() : views.front().times_s);
  const auto count = [&](auto&& is) {
    return std::count_if(plan.frames.begin(), plan.frames.end(), is);
  };
  return {static_cast<int64_t>(plan.frames.size()),
          count([](const DecodedPose& f) { return f.decodable; }),
          count([](const DecodedPose& f) { return f.from_prior; }), MedianConfidence(plan.frames)};
}

}  // namespace aim
