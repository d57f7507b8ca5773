#include "aim/pipeline/evaluate_model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/diffusion/validation.h"
#include "aim/policy/clip_generator.h"
#include "aim/tensor/device.h"
#include "pipeline/truth_clips.h"

namespace aim {
namespace {

// What the true action images, and videos, come back as without any generation.
ClipQuality MeasureFloor(const GeneratorModel& model, const Clip& clip, bool with_autoencoder,
                         const DecoderOptions& decoder) {
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
    quality.psnr_db.push_back(Psnr(later(through(video, ContentKind::kVideo)), truth));
    quality.static_psnr_db.push_back(Psnr(video.narrow(1, 0, 1).expand_as(truth), truth));
  }
  quality.poses.Add(DecodeActionVideos(actions, clip.views, decoder), clip.poses);
  return quality;
}

class Evaluation {
 public:
  Evaluation(const EvaluateModelOptions& options, RunContext& run)
      : options_(options), run_(run), config_(LoadBundleConfig(options.model.model)) {
    modes_ = options.mode.empty() ? config_.trained_modes : options.mode;
    for (const std::string& mode : modes_) {
      CheckTrained(mode, config_.trained_modes, options.model.allow_untrained);
    }
    generate_.sampler = SamplerFor(config_, options.model);
    const LoadOptions load = LoadOptionsFor(options.model, run.device());
    bundle_ = LoadBundle(options.model.model, load);
    StateDecodeMemory(config_, load);
    model_ = {&bundle_.dit,         bundle_.autoencoder.get(), bundle_.text.get(),
              config_.action_image, config_.num_frames,        &cameras_,
              options.model.offload};
    generate_.decoder.spec = config_.action_image;
  }

  EvaluationReport Run() {
    data_ = ReadTruthClips(options_.data.Open(), options_.episodes, config_, run_.progress());
    if (!run_.out().empty()) run_.PrepareOutFile();
    EvaluationReport report{.model = options_.model.model,
                            .fingerprint = Fingerprint(bundle_.dit.NamedWeights()),
                            .data = options_.data.path,
                            .steps = generate_.sampler.sampling.steps,
                            .guidance = generate_.sampler.sampling.guidance,
                            .modes = {},
                            .skipped = data_.skipped};
    const at::InferenceMode guard;
    const auto with_v2a = std::count(modes_.begin(), modes_.end(), "v2a");
    run_.progress().Start("measure", static_cast<int64_t>(modes_.size()) + with_v2a + 2);
    for (const std::string& mode : modes_) {
      report.modes[mode] = MeasureMode(mode, true);
      if (mode == "v2a") report.modes["v2a_no_first_pose"] = MeasureMode(mode, false);
    }
    for (const bool with_autoencoder : {false, true}) {
      const char* name = with_autoencoder ? "autoencoder_floor" : "codec_floor";
      report.modes[name] = Measure(name, [&] {
        std::vector<ClipQuality> qualities;
        for (const Clip& clip : data_.clips) {
          qualities.push_back(MeasureFloor(model_, clip, with_autoencoder, generate_.decoder));
        }
        return qualities;
      });
    }
    run_.progress().Finish();
    if (!run_.out().empty()) WriteFileAtomic(run_.out(), DumpJson(ToJson(report), 2) + "\n");
    return report;
  }

 private:
  ModeReport MeasureMode(const std::string& mode, bool first_pose_given) {
    GenerateOptions generate = generate_;
    generate.first_pose_given = first_pose_given;
    return Measure(mode, [&] {
      const Rng rng = Rng(run_.seed()).Derive(0, mode);
      return MeasureClips(model_, FindMode(mode), data_.clips, generate, rng);
    });
  }

  ModeReport Measure(const std::string& name,
                     const std::function<std::vector<ClipQuality>()>& measure) {
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<ClipQuality> qualities = measure();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    Rng rng = Rng(run_.seed()).Derive(0, "intervals");
    ModeReport report;
    report.quality = SummarizeWithIntervals(qualities, rng);
    report.seconds_per_clip = elapsed.count() / static_cast<double>(qualities.size());
    std::map<std::string, std::vector<ClipQuality>> by_task;
    for (size_t i = 0; i < qualities.size(); ++i) by_task[data_.tasks[i]].push_back(qualities[i]);
    if (by_task.size() > 1) {
      for (const auto& [task, part] : by_task) report.tasks[task] = SummarizeQuality(part);
    }
    run_.progress().Advance(1, name);
    return report;
  }

  EvaluateModelOptions options_;
  RunContext& run_;
  BundleConfig config_;
  std::vector<std::string> modes_;
  Bundle bundle_;
  CameraCache cameras_;
  GeneratorModel model_;
  GenerateOptions generate_;
  TruthClips data_;
};

// Of a number that may not be there, or not be one.
std::string Fixed(std::optional<double> value, int digits, double scale = 1) {
  if (!value || !std::isfinite(*value)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, scale * *value);
  return text;
}

// "5.2 [4.8, 5.9]"; `interval` is its name among the intervals.
std::string WithInterval(const QualitySummary& quality, std::optional<double> value,
                         const char* interval, int digits, double scale = 1) {
  const std::string text = Fixed(value, digits, scale);
  const auto range = quality.intervals.find(interval);
  if (!value || range == quality.intervals.end()) return text;
  return text + " [" + Fixed(range->second.low, digits, scale) + ", " +
         Fixed(range->second.high, digits, scale) + "]";
}

// A member of the poses or pictures of a summary, where there are any.
template <class Part, class Value>
std::optional<double> Of(const std::optional<Part>& part, Value&& value) {
  if (!part) return std::nullopt;
  return value(*part);
}

}  // namespace

void EvaluateModelOptions::Validate() const {
  CheckRanges(*this);
  model.Validate();
  for (const std::string& name : mode) FindMode(name);
  data.Validate();
}

nlohmann::json ToJson(const EvaluationReport& report) {
  nlohmann::json json = {{"model", report.model},
                         {"fingerprint", report.fingerprint},
                         {"data", report.data},
                         {"steps", report.steps},
                         {"guidance", report.guidance}};
  AddSkipped(report.skipped, json);
  for (const auto& [name, mode] : report.modes) {
    nlohmann::json& entry = json["modes"][name];
    entry = ToJson(mode.quality);
    entry["seconds_per_clip"] = mode.seconds_per_clip;
    for (const auto& [task, quality] : mode.tasks) entry["tasks"][task] = ToJson(quality);
  }
  return json;
}

EvaluationReport RunEvaluateModel(const EvaluateModelOptions& options, RunContext& run) {
  options.Validate();
  return Evaluation(options, run).Run();
}

std::string EvaluationTable(const EvaluationReport& report) {
  std::string table =
      "| mode | clips | position, median mm | p90 mm | rotation, median deg | gripper % | not "
      "decodable % | video PSNR dB | static copy dB |\n|---|---|---|---|---|---|---|---|---|\n";
  for (const auto& [name, mode] : report.modes) {
    const QualitySummary& q = mode.quality;
    const auto cell = [&](auto&& value, const char* interval, int digits, double scale = 1) {
      return WithInterval(q, Of(q.poses, value), interval, digits, scale);
    };
    const std::vector<std::string> cells = {
        name,
        std::to_string(q.num_clips),
        cell([](auto& p) { return p.position_mm.median; }, "position_mm.median", 1),
        Fixed(Of(q.poses, [](auto& p) { return p.position_mm.p90; }), 1),
        cell([](auto& p) { return p.rotation_deg.median; }, "rotation_deg.median", 2),
        cell([](auto& p) { return p.gripper_accuracy; }, "gripper_accuracy", 1, 100),
        Fixed(Of(q.poses, [](auto& p) { return p.not_decodable; }), 1, 100),
        WithInterval(q, Of(q.pictures, [](auto& p) { return p.psnr_db; }), "psnr_db", 2),
        WithInterval(q, Of(q.pictures, [](auto& p) { return p.static_copy_psnr_db; }),
                     "static_copy_psnr_db", 2)};
    table += "| " + Join(cells, " | ") + " |\n";
  }
  return table;
}

}  // namespace aim
