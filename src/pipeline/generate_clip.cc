#include "aim/pipeline/generate_clip.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/codec/pose_csv.h"
#include "aim/media/blend.h"
#include "aim/media/overlay.h"
#include "aim/media/preview.h"
#include "aim/media/resize.h"
#include "aim/media/video.h"
#include "pipeline/clip_input.h"

namespace aim {
namespace {

constexpr int kOverlaySidePx = 256;  // overlays of smaller pictures are enlarged to about this
constexpr VideoOptions kGoodVideo{.crf = 8};

void Require(const char* flag, bool given, bool wanted, bool allowed, const std::string& mode,
             const std::string& what) {
  if (wanted && !given) {
    throw ConfigError({.where = flag,
                       .got = "not given",
                       .expected = what + ": mode " + mode + " starts from it",
                       .fix = ""});
  }
  if (given && !allowed) {
    throw ConfigError({.where = flag,
                       .got = "given",
                       .expected = "nothing: mode " + mode + " does not read it",
                       .fix = "leave it out or choose another --mode"});
  }
}

Image FrameOf(const at::Tensor& video, int64_t frame) {
  Image image(static_cast<int>(video.size(3)), static_cast<int>(video.size(2)));
  image.rgb = VideoBytes(video.narrow(1, frame, 1))[0];
  return image;
}

// What one view of the result consists of, [3, T, H, W] in [-1, 1]; undefined if there is none.
struct ViewResult {
  at::Tensor video;
  at::Tensor action;
};

struct ClipResult {
  int num_frames = 0;
  std::vector<ViewResult> views;
  std::vector<DecodedPose> decoded;  // if actions were generated
  std::vector<ToolPose> poses;       // decoded or given, one a frame; may be empty
  std::vector<bool> shown;           // frames whose pose may be drawn
};

ClipResult Assemble(const ClipGenerator& generator, const ClipInput& input,
                    GeneratedClip generated) {
  const ModeInputs inputs = InputsOf(generator.mode());
  const Clip& clip = input.clip;
  ClipResult result;
  result.num_frames = input.num_frames;
  const auto num_frames = static_cast<size_t>(input.num_frames);
  const auto cut = [&](const at::Tensor& video) { return video.narrow(1, 0, input.num_frames); };
  for (size_t v = 0; v < clip.views.size(); ++v) {
    ViewResult view;
    if (!generated.videos.empty()) {
      view.video = cut(generated.videos[v]);
    } else if (inputs.whole_video) {
      view.video = VideoTensor(clip.views[v], clip.height, clip.width, input.num_frames);
    }
    if (!generated.action_videos.empty()) {
      view.action = cut(generated.action_videos[v]);
    } else if (inputs.all_poses) {
      view.action =
          cut(ActionTensor(clip.poses, clip.views[v].camera, generator.config().action_image));
    }
    result.views.push_back(std::move(view));
  }
  if (!generated.poses.empty()) {
    result.decoded = std::move(generated.poses);
    result.decoded.resize(num_frames);
    for (const DecodedPose& frame : result.decoded) {
      result.poses.push_back(frame.pose);
      result.shown.push_back(frame.decodable || frame.from_prior);
    }
  } else if (inputs.all_poses) {
    result.poses.assign(clip.poses.begin(), clip.poses.begin() + input.num_frames);
    result.shown.assign(num_frames, true);
  }
  return result;
}

// Writes the files of a result and remembers their names.
class ResultWriter {
 public:
  ResultWriter(const std::filesystem::path& folder, const ClipGenerator& generator,
               const ClipInput& input)
      : folder_(folder), config_(generator.config()), clip_(input.clip), times_s_(input.times_s) {}

  std::vector<std::string> Write(const ClipResult& result) {
    for (size_t v = 0; v < result.views.size(); ++v) {
      const std::string view = "view" + std::to_string(v);
      const ViewResult& parts = result.views[v];
      if (parts.video.defined()) WriteColors(view + ".mp4", parts.video);
      if (!parts.action.defined()) continue;
      WriteActions(view + "_action.mp4", parts.action);
      WriteOverlay("overlay" + std::to_string(v) + ".mp4", v, result);
    }
    if (!result.decoded.empty()) {
      WritePosesCsv(Name("poses.csv"), Plan{.period_s = 1 / config_.fps, .frames = result.decoded},
                    times_s_);
    } else if (!result.poses.empty()) {
      WritePosesCsv(Name("poses.csv"), result.poses, 1 / config_.fps);
    }
    std::vector<CameraTrack> cameras = CamerasOf(clip_);
    for (CameraTrack& camera : cameras) {
      if (camera.frames.size() > 1) camera.frames.resize(static_cast<size_t>(result.num_frames));
    }
    WriteCamerasJson(Name("cameras.json"), cameras);
    return files_;
  }

 private:
  std::filesystem::path Name(const std::string& name) {
    files_.push_back(name);
    return folder_ / name;
  }

  template <class Writer>
  static void AppendAll(const at::Tensor& video, Writer& writer) {
    for (int64_t frame = 0; frame < video.size(1); ++frame) writer.Append(FrameOf(video, frame));
    writer.Finish();
  }

  void WriteColors(const std::string& name, const at::Tensor& video) {
    VideoWriter writer(Name(name), {clip_.width, clip_.height, config_.fps}, kGoodVideo);
    AppendAll(video, writer);
  }

  // Bit for bit, for programs; what people look at is the preview.
  void WriteActions(const std::string& name, const at::Tensor& video) {
    PreviewedVideoWriter writer(Name(name), {clip_.width, clip_.height, config_.fps});
    files_.push_back(PreviewPath(name).string());
    AppendAll(video, writer);
  }

  // The action image over what the view shows, and the tool's axes over both.
  void WriteOverlay(const std::string& name, size_t v, const ClipResult& result) {
    const int scale = std::max(1, kOverlaySidePx / std::min(clip_.width, clip_.height));
    const int width = clip_.width * scale;
    const int height = clip_.height * scale;
    const ClipView& view = clip_.views[v];
    const at::Tensor ground = result.views[v].video.defined()
                                  ? result.views[v].video
                                  : VideoTensor(view, clip_.height, clip_.width, 1);
    const at::Tensor action = ((result.views[v].action + 1) * 0.5).clamp(0, 1);
    VideoWriter writer(Name(name), {width, height, config_.fps}, kGoodVideo);
    for (int64_t frame = 0; frame < result.num_frames; ++frame) {
      const at::Tensor shown = action.select(1, frame).contiguous();
      const std::span<const float> values(shown.const_data_ptr<float>(),
                                          static_cast<size_t>(shown.numel()));
      const Image small = BlendActionImage(FrameOf(ground, std::min(frame, ground.size(1) - 1)),
                                           values, 0.8, config_.action_image.pedestal);
      Image image = ResizeImage(small, width, height);
      const auto index = static_cast<size_t>(frame);
      if (result.shown[index]) {
        const Camera camera =
            CropAndResize(view.camera.at(index), 0, 0, clip_.width, clip_.height, width, height);
        DrawToolPose(image, camera, result.poses[index], config_.action_image.anchor_m);
      }
      writer.Append(image);
    }
    writer.Finish();
  }

  std::filesystem::path folder_;
  const BundleConfig& config_;
  const Clip& clip_;
  const std::vector<double>& times_s_;
  std::vector<std::string> files_;
};

}  // namespace

void GenerateClipOptions::Validate() const {
  CheckRanges(*this);
  model.Validate();
  const ModeInputs inputs = InputsOf(FindMode(mode));
  Require("--view", !view.empty(), !inputs.whole_video, !inputs.whole_video, mode,
          "the first picture of each view");
  Require("--video", !video.empty(), inputs.whole_video, inputs.whole_video, mode,
          "the video of each view");
  Require("--cameras", !cameras.empty(), true, true, mode, "the views' cameras.json");
  Require("--first-pose", !first_pose.empty(), inputs.first_pose && !inputs.whole_video,
          inputs.first_pose, mode, "\"x y z qx qy qz qw open\" of the tool at the first frame");
  Require("--poses", !poses.empty(), inputs.all_poses, inputs.all_poses, mode,
          "poses.csv with a row a frame");
}

nlohmann::json ToJson(const GenerateReport& report) {
  nlohmann::json json = {
      {"mode", report.mode}, {"frames", report.num_frames}, {"files", report.files}};
  if (report.num_decoded) json["decoded"] = *report.num_decoded;
  if (report.median_confidence) json["median_confidence"] = *report.median_confidence;
  return json;
}

GenerateReport RunGenerate(const GenerateClipOptions& options, RunContext& run) {
  options.Validate();
  const ClipGenerator generator(options.model, options.mode, run.device());
  const ClipInput input = ReadClipInput(options, generator);
  run.PrepareOutFolder(OutUse::kNew);
  run.Note("steps", generator.sampler().sampling.steps);
  run.Note("guidance", generator.sampler().sampling.guidance);
  run.Note("shift", generator.sampler().sampling.shift);

  const ClipRequest request{.first_pose_given = input.first_pose_given};
  std::vector<GeneratedClip> generated = generator.Run({input.clip}, request, Rng(run.seed()));
  const ClipResult result = Assemble(generator, input, std::move(generated[0]));
  GenerateReport report;
  report.mode = options.mode;
  report.num_frames = input.num_frames;
  report.files = ResultWriter(run.out(), generator, input).Write(result);
  run.CommitOut();
  if (result.decoded.empty()) return report;
  report.num_decoded = std::count_if(result.decoded.begin(), result.decoded.end(),
                                     [](const DecodedPose& frame) { return frame.decodable; });
  report.median_confidence = MedianConfidence(result.decoded);
  return report;
}

}  // namespace aim
