#include "aim/pipeline/drift.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/summary.h"
#include "aim/base/text.h"
#include "aim/policy/clip_generator.h"
#include "pipeline/truth_clips.h"

namespace aim {
namespace {

struct Generated {
  std::vector<std::vector<DecodedPose>> poses;  // a clip, a frame
  std::vector<at::Tensor> latents;              // a clip
  double seconds_per_clip = 0;
};

Generated GenerateAll(const ModelOptions& model, const std::string& mode,
                      const std::vector<Clip>& clips, RunContext& run) {
  const ClipGenerator generator(model, mode, run.device());
  const ClipRequest request{.decode_video = false, .keep_latents = true, .temporal_prior = false};
  Generated generated;
  const auto begin = std::chrono::steady_clock::now();
  for (size_t i = 0; i < clips.size(); ++i) {
    const Rng rng = Rng(run.seed()).Derive(i, "drift");
    const GeneratedClip clip = generator.Run({clips[i]}, request, rng)[0];
    generated.poses.push_back(clip.poses);
    generated.latents.push_back(clip.latents);
    run.progress().Advance(1);
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  generated.seconds_per_clip = elapsed.count() / static_cast<double>(clips.size());
  return generated;
}

std::optional<DriftReport::Spread> SpreadOf(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  return DriftReport::Spread{Median(values), Percentile(values, 90),
                             *std::max_element(values.begin(), values.end())};
}

double Cosine(const at::Tensor& a, const at::Tensor& b) {
  return at::cosine_similarity(a.flatten(), b.flatten(), 0).item<double>();
}

// Distances between the poses of two runs over the same clips.
DriftReport Compare(const Generated& a, const Generated& b) {
  std::vector<double> position_mm, rotation_deg, cosines;
  int64_t frames = 0, gripper_differs = 0, decodable_differs = 0;
  for (size_t clip = 0; clip < a.poses.size(); ++clip) {
    cosines.push_back(Cosine(a.latents[clip], b.latents[clip]));
    for (size_t frame = 1; frame < a.poses[clip].size(); ++frame) {
      const DecodedPose& first = a.poses[clip][frame];
      const DecodedPose& second = b.poses[clip][frame];
      ++frames;
      if (first.decodable != second.decodable) ++decodable_differs;
      if (!first.decodable || !second.decodable) continue;
      const PoseDifference difference = Difference(first.pose, second.pose);
      position_mm.push_back(difference.position_mm());
      rotation_deg.push_back(difference.rotation_deg());
      gripper_differs += !difference.is_same_gripper;
    }
  }
  const auto share = [&](int64_t count) {
    return static_cast<double>(count) / static_cast<double>(std::max<int64_t>(1, frames));
  };
  DriftReport report;
  report.num_clips = static_cast<int64_t>(a.poses.size());
  report.num_frames = frames;
  report.position_mm = SpreadOf(position_mm);
  report.rotation_deg = SpreadOf(rotation_deg);
  report.latent_cosine_median = Median(cosines);
  report.latent_cosine_min = *std::min_element(cosines.begin(), cosines.end());
  report.gripper_differs = share(gripper_differs);
  report.decodable_differs = share(decodable_differs);
  report.seconds_per_clip = {a.seconds_per_clip, b.seconds_per_clip};
  return report;
}

nlohmann::json ToJson(const std::optional<DriftReport::Spread>& spread) {
  if (!spread) return nullptr;
  return {{"median", spread->median}, {"p90", spread->p90}, {"max", spread->max}};
}

// `model` with the settings of `against` in place of its own.
ModelOptions Changed(ModelOptions model, const std::vector<std::string>& against) {
  for (const std::string& setting : against) {
    const size_t equals = setting.find('=');
    if (equals == std::string::npos) {
      throw ConfigError({.where = "--against",
                         .got = '"' + setting + '"',
                         .expected = "key=value",
                         .fix = "for example --against dtype=bf16"});
    }
    SetOptionText(model, setting.substr(0, equals), setting.substr(equals + 1), "--against");
  }
  return model;
}

}  // namespace

void DriftOptions::Validate() const {
  CheckRanges(*this);
  model.Validate();
  Changed(model, against);
  const Mode& found = FindMode(mode);
  if (!found.action.present || found.action.given == Given::kAll) {
    throw ConfigError({.where = "--mode",
                       .got = '"' + mode + '"',
                       .expected = "a mode that makes actions: i2a, i2va or v2a",
                       .fix = ""});
  }
  if (against.empty()) {
    throw ConfigError({.where = "--against",
                       .got = "not given",
                       .expected = "at least one setting that the second run changes",
                       .fix = "for example --against dtype=bf16"});
  }
  data.Validate();
}

nlohmann::json ToJson(const DriftReport& report) {
  const auto& [first, second] = report.settings;
  nlohmann::json json = {
      {"model", report.model},
      {"mode", report.mode},
      {"clips", report.num_clips},
      {"frames", report.num_frames},
      {"position_mm", ToJson(report.position_mm)},
      {"rotation_deg", ToJson(report.rotation_deg)},
      {"latent_cosine",
       {{"median", report.latent_cosine_median}, {"min", report.latent_cosine_min}}},
      {"gripper_differs", report.gripper_differs},
      {"decodable_differs", report.decodable_differs},
      {"settings", {OptionsToJson(first), OptionsToJson(second)}},
      {"seconds_per_clip", report.seconds_per_clip}};
  AddSkipped(report.skipped, json);
  return json;
}

DriftReport RunDrift(const DriftOptions& options, RunContext& run) {
  options.Validate();
  const BundleConfig config = LoadBundleConfig(options.model.model);
  const ModelOptions changed = Changed(options.model, options.against);
  const TruthClips truth =
      ReadTruthClips(options.data.Open(), options.episodes, config, run.progress());
  if (!run.out().empty()) run.PrepareOutFile();
  run.progress().Start("generate", 2 * static_cast<int64_t>(truth.clips.size()));
  const Generated first = GenerateAll(options.model, options.mode, truth.clips, run);
  const Generated second = GenerateAll(changed, options.mode, truth.clips, run);
  run.progress().Finish();
  DriftReport report = Compare(first, second);
  report.model = options.model.model;
  report.mode = options.mode;
  report.settings = {options.model, changed};
  report.skipped = truth.skipped;
  if (!run.out().empty()) WriteFileAtomic(run.out(), DumpJson(ToJson(report), 2) + "\n");
  return report;
}

}  // namespace aim
