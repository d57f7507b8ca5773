#include "aim/pipeline/evaluate_model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/name_list.h"
#include "aim/base/text.h"
#include "aim/diffusion/validation.h"
#include "aim/policy/clip_generator.h"
#include "aim/tensor/device.h"
#include "pipeline/picture_measure.h"
#include "pipeline/truth_clips.h"

namespace aim {
namespace {

// What the true action images, and videos, come back as without any generation; the videos too.
ClipQuality MeasureFloor(const GeneratorModel& model, const Clip& clip, bool with_autoencoder,
                         const DecoderOptions& decoder, std::vector<at::Tensor>& videos) {
  ClipQuality quality;
  std::vector<at::Tensor> actions;
  for (const ClipView& view : clip.views) {
    const auto through = [&](const at::Tensor& video, ContentKind kind) {
      const at::Tensor latent = model.autoencoder->Encode(video.unsqueeze(0), kind);
      return model.autoencoder->Decode(latent, kind)[0].clamp(-1, 1);
    };
    const at::Tensor action = ActionTensor(clip.poses, view.camera, model.spec);
    actions.push_back(with_autoencoder ? through(action, ContentKind::kAction) : action);
    if (!with_autoencoder) continue;
    const at::Tensor video = VideoTensor(view, clip.height, clip.width, view.num_frames);
    const auto later = [&](const at::Tensor& frames) {
      return frames.narrow(1, 1, frames.size(1) - 1);
    };
    const at::Tensor truth = later(video);
    videos.push_back(through(video, ContentKind::kVideo));
    quality.psnr_db.push_back(Psnr(later(videos.back()), truth));
    quality.static_psnr_db.push_back(Psnr(video.narrow(1, 0, 1).expand_as(truth), truth));
  }
  quality.poses.Add(DecodeActionVideos(actions, clip.views, decoder), clip.poses);
  return quality;
}

// `clip` with other pictures: [3, T, H, W] in [-1, 1] a view.
Clip WithVideos(const Clip& clip, const std::vector<at::Tensor>& videos) {
  Clip shown{.height = clip.height,
             .width = clip.width,
             .fps = clip.fps,
             .views = {},
             .poses = {},
             .prompt = {}};
  for (size_t view = 0; view < videos.size(); ++view) {
    ClipView& pictures = shown.views.emplace_back();
    pictures.num_frames = static_cast<int>(videos[view].size(1));
    for (const std::vector<uint8_t>& frame : VideoBytes(videos[view])) {
      pictures.rgb.insert(pictures.rgb.end(), frame.begin(), frame.end());
    }
  }
  return shown;
}

bool MakesVideo(const Mode& mode) { return mode.video.present && mode.video.given != Given::kAll; }
bool MakesActions(const Mode& mode) {
  return mode.action.present && mode.action.given != Given::kAll;
}

class Evaluation {
 public:
  Evaluation(const EvaluateModelOptions& options, RunContext& run)
      : options_(options),
        run_(run),
        config_(LoadBundleConfig(options.model.model)),
        metrics_(options.measure.Chosen()),
        of_videos_(options.measure) {
    ChooseModes();
    of_videos_.metrics.clear();
    for (const Metric metric : metrics_) {
      if (metric != Metric::kPose && metric != Metric::kPsnr) {
        of_videos_.metrics.push_back(ToWord(metric));
      }
    }
    networks_ = LoadMetricNetworks(options.measure, ParseDevice(run.device()));
    generate_.sampler = SamplerFor(config_, options.model);
    const LoadOptions load = LoadOptionsFor(options.model, run.device());
    bundle_ = LoadBundle(options.model.model, load);
    StateDecodeMemory(config_, load);
    model_ = {&bundle_.dit,         bundle_.autoencoder.get(), bundle_.text.get(),
              config_.action_image, config_.num_frames,        &cameras_,
              options.model.offload};
    generate_.decoder.spec = config_.action_image;
    generate_.decode_video = AsksForVideo();
  }

  EvaluationReport Run() {
    data_ = ReadTruthClips(options_.data.Open(), options_.episodes, config_, run_.progress());
    if (!run_.out().empty()) run_.PrepareOutFile();
    EvaluationReport report{.model = options_.model.model,
                            .fingerprint = Fingerprint(bundle_.dit.NamedWeights()),
                            .data = options_.data.path,
                            .steps = generate_.sampler.sampling.steps,
                            .guidance = generate_.sampler.sampling.guidance,
                            .lpips = networks_.lpips ? ToWord(options_.measure.lpips) : "",
                            .modes = {},
                            .missing = {},
                            .skipped = data_.skipped};
    const at::InferenceMode guard;
    videos_.emplace(of_videos_, networks_,
                    PictureExtent{config_.image_width, config_.image_height, config_.num_frames},
                    report.missing);
    true_features_.resize(data_.clips.size());
    const bool without_pose = Asks(Metric::kPose) && std::ranges::count(modes_, "v2a") > 0;
    run_.progress().Start(
        "measure", static_cast<int64_t>(modes_.size()) + without_pose + Asks(Metric::kPose) + 1);
    for (const std::string& mode : modes_) {
      report.modes[mode] = MeasureMode(mode, true);
      if (mode == "v2a" && without_pose) {
        report.modes["v2a_no_first_pose"] = MeasureMode(mode, false);
      }
    }
    if (Asks(Metric::kPose)) report.modes["codec_floor"] = MeasureFloors("codec_floor", false);
    report.modes["autoencoder_floor"] = MeasureFloors("autoencoder_floor", true);
    if (Asks(Metric::kFvd) && report.missing.empty() && data_.clips.size() == 1 &&
        config_.num_views == 1) {
      report.missing["fvd"] = kOneClip;
    }
    run_.progress().Finish();
    if (!run_.out().empty()) WriteFileAtomic(run_.out(), DumpJson(ToJson(report), 2) + "\n");
    return report;
  }

 private:
  bool Asks(Metric metric) const { return metrics_.contains(metric); }
  bool AsksForVideo() const { return metrics_.size() > (Asks(Metric::kPose) ? 1U : 0U); }

  // Those that make something of what is asked for.
  void ChooseModes() {
    const std::vector<std::string> named = SplitNames(options_.mode);
    for (const std::string& name : named.empty() ? config_.trained_modes : named) {
      CheckTrained(name, config_.trained_modes, options_.model.allow_untrained);
      const Mode& mode = FindMode(name);
      if ((AsksForVideo() && MakesVideo(mode)) || (Asks(Metric::kPose) && MakesActions(mode))) {
        modes_.push_back(name);
      } else if (!named.empty()) {
        throw ConfigError({.where = "--metrics",
                           .got = Join(SplitNames(options_.measure.metrics)),
                           .expected = "something that mode " + name +
                                       " makes: " + (MakesVideo(mode) ? "video" : "poses"),
                           .fix = ""});
      }
    }
  }

  ModeReport MeasureMode(const std::string& mode, bool first_pose_given) {
    GenerateOptions generate = generate_;
    generate.first_pose_given = first_pose_given;
    return Measure(mode, [&](std::vector<ClipQuality>& qualities) {
      const Rng rng = Rng(run_.seed()).Derive(0, mode);
      qualities = MeasureClips(model_, FindMode(mode), data_.clips, generate, rng,
                               [&](size_t index, const GeneratedClip& generated) {
                                 MeasureVideos(index, generated.videos);
                               });
    });
  }

  ModeReport MeasureFloors(const std::string& name, bool with_autoencoder) {
    return Measure(name, [&](std::vector<ClipQuality>& qualities) {
      for (size_t i = 0; i < data_.clips.size(); ++i) {
        std::vector<at::Tensor> videos;
        qualities.push_back(
            MeasureFloor(model_, data_.clips[i], with_autoencoder, generate_.decoder, videos));
        MeasureVideos(i, videos);
      }
    });
  }

  // Against the truth of clip `index`, into scores_ and features_. Its time is not the model's.
  void MeasureVideos(size_t index, const std::vector<at::Tensor>& videos) {
    if (videos.empty() || of_videos_.metrics.empty()) return;
    const auto begin = std::chrono::steady_clock::now();
    const Clip& truth = data_.clips[index];
    const Clip shown = WithVideos(truth, videos);
    const size_t num_given = truth.views.size() - videos.size();  // views that a mode is given
    Clip counterpart;
    if (num_given > 0) {
      counterpart = truth;
      counterpart.views.erase(counterpart.views.begin(),
                              counterpart.views.begin() + static_cast<std::ptrdiff_t>(num_given));
    }
    videos_->Score(shown, num_given > 0 ? counterpart : truth, 1, scores_[index]);
    videos_->AddFeatures(shown, features_.judged);
    std::vector<Eigen::VectorXd>& known = true_features_[index];
    if (known.empty()) videos_->AddFeatures(truth, known);
    for (size_t i = 0; i < known.size(); ++i) {
      if (i % truth.views.size() >= num_given) features_.truth.push_back(known[i]);
    }
    measuring_ += std::chrono::steady_clock::now() - begin;
  }

  ModeReport Measure(const std::string& name,
                     const std::function<void(std::vector<ClipQuality>&)>& measure) {
    scores_.assign(data_.clips.size(), {});
    features_ = {};
    measuring_ = {};
    const auto begin = std::chrono::steady_clock::now();
    std::vector<ClipQuality> qualities;
    measure(qualities);
    const std::chrono::duration<double> elapsed =
        std::chrono::steady_clock::now() - begin - measuring_;
    for (ClipQuality& quality : qualities) LeaveOutUnasked(quality);
    ModeReport report;
    report.quality = Summarize(qualities, scores_, true);
    report.seconds_per_clip = elapsed.count() / static_cast<double>(qualities.size());
    report.fvd = DistanceOf(features_, options_.measure.fvd_frames);
    std::map<std::string, std::pair<std::vector<ClipQuality>, std::vector<Scores>>> by_task;
    for (size_t i = 0; i < qualities.size(); ++i) {
      auto& [of_task, scores] = by_task[data_.tasks[i]];
      of_task.push_back(qualities[i]);
      scores.push_back(scores_[i]);
    }
    if (by_task.size() > 1) {
      for (const auto& [task, part] : by_task) {
        report.tasks[task] = Summarize(part.first, part.second, false);
      }
    }
    run_.progress().Advance(1, name);
    return report;
  }

  void LeaveOutUnasked(ClipQuality& quality) const {
    if (!Asks(Metric::kPose)) quality.poses = {};
    if (Asks(Metric::kPsnr)) return;
    quality.psnr_db.clear();
    quality.static_psnr_db.clear();
  }

  MeasuredQuality Summarize(const std::vector<ClipQuality>& qualities,
                            const std::vector<Scores>& scores, bool with_intervals) const {
    Rng rng = Rng(run_.seed()).Derive(0, "intervals");
    MeasuredQuality quality;
    quality.pictures = SummarizeScores(scores, rng);
    quality.summary =
        with_intervals ? SummarizeWithIntervals(qualities, rng) : SummarizeQuality(qualities);
    return quality;
  }

  EvaluateModelOptions options_;
  RunContext& run_;
  BundleConfig config_;
  std::set<Metric> metrics_;
  MetricOptions of_videos_;  // what is measured of whole videos: all but poses and PSNR
  std::vector<std::string> modes_;
  MetricNetworks networks_;
  Bundle bundle_;
  CameraCache cameras_;
  GeneratorModel model_;
  GenerateOptions generate_;
  TruthClips data_;
  std::vector<std::vector<Eigen::VectorXd>> true_features_;  // a clip; of all modes
  std::optional<PictureMeasure> videos_;
  // Of the mode at work.
  std::vector<Scores> scores_;  // a clip
  ClipFeatures features_;
  std::chrono::steady_clock::duration measuring_{};
};

}  // namespace

void EvaluateModelOptions::Validate() const {
  CheckRanges(*this);
  model.Validate();
  for (const std::string& name : SplitNames(mode)) FindMode(name);
  measure.Validate();
  data.Validate();
}

EvaluationReport RunEvaluateModel(const EvaluateModelOptions& options, RunContext& run) {
  options.Validate();
  return Evaluation(options, run).Run();
}

}  // namespace aim
