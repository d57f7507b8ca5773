#include "aim/pipeline/label.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/file_stamp.h"
#include "aim/base/log.h"
#include "aim/base/parse_json.h"
#include "aim/base/run_settings.h"
#include "aim/base/shard.h"
#include "aim/base/summary.h"
#include "aim/base/text.h"
#include "aim/codec/pose_csv.h"
#include "aim/data/convert.h"
#include "aim/data/copy_set.h"
#include "aim/data/data_set.h"
#include "aim/data/labels.h"
#include "aim/media/frame_times.h"
#include "aim/policy/clip_generator.h"
#include "aim/report/numbers.h"
#include "pipeline/label_overlay.h"
#include "pipeline/label_page.h"
#include "pipeline/truth_clips.h"
#include "pipeline/window_reader.h"
#include "pipeline/windows.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMode = "v2a";
constexpr const char* kLabels = "labels";  // the layout that is always written
constexpr size_t kWindowsPerBatch = 8;
constexpr double kRateTolerance = 0.25;
constexpr double kFewDecoded = 0.5;  // of an episode's frames
constexpr double kFarMm = 50;        // from recorded poses

nlohmann::json ErrorsJson(const PoseErrors& errors) {
  return {{"position_mm", errors.position_mm}, {"rotation_deg", errors.rotation_deg},
          {"confidence", errors.confidence},   {"gripper_right", errors.gripper_right},
          {"num_frames", errors.num_frames},   {"not_decodable", errors.not_decodable}};
}

PoseErrors PoseErrorsFromJson(const nlohmann::json& json) {
  PoseErrors errors;
  errors.position_mm = json.at("position_mm").get<std::vector<double>>();
  errors.rotation_deg = json.at("rotation_deg").get<std::vector<double>>();
  errors.confidence = json.at("confidence").get<std::vector<double>>();
  errors.gripper_right = json.at("gripper_right").get<int>();
  errors.num_frames = json.at("num_frames").get<int>();
  errors.not_decodable = json.at("not_decodable").get<int>();
  return errors;
}

// What was found of an episode, now or by an earlier run.
struct EpisodeLabels {
  nlohmann::json record;
  std::vector<DecodedPose> frames;
  std::vector<double> times_s;
};

// What label.json of an earlier run says; null if it was of other files than those of today.
nlohmann::json ReadRecord(const fs::path& folder, const std::string& stamp) {
  if (!fs::exists(folder / "label.json") || !fs::exists(folder / "poses.csv")) return {};
  nlohmann::json record = ParseJson(ReadFile(folder / "label.json"));
  if (!record.is_object() || !record.contains("origin")) return {};  // of a version that kept none
  if (record.value("content", nlohmann::json()) != stamp) return {};
  for (const char* key : {"frames", "decoded", "low_confidence", "median_confidence"}) {
    if (!record.contains(key) || !record[key].is_number()) return {};
  }
  return record;
}

// Nothing where there is nothing, it is damaged, or the episode was recorded again: then it is
// labelled again.
std::optional<EpisodeLabels> ReadEarlier(const fs::path& folder, const std::string& stamp) {
  try {
    EpisodeLabels earlier{.record = ReadRecord(folder, stamp), .frames = {}, .times_s = {}};
    if (earlier.record.is_null()) return std::nullopt;
    for (const PoseRow& row : ReadPosesCsv(folder / "poses.csv")) {
      earlier.frames.push_back(row.decoded);
      earlier.times_s.push_back(row.time_s);
    }
    if (earlier.record["frames"] != earlier.frames.size()) return std::nullopt;  // cut off
    if (earlier.record.contains("errors")) PoseErrorsFromJson(earlier.record["errors"]);
    return earlier;
  } catch (const Error& error) {
    LogWarning(folder.string() + " is labelled again: " + error.what());
  } catch (const nlohmann::json::exception& error) {
    LogWarning(folder.string() + " is labelled again: " + error.what());
  }
  return std::nullopt;
}

class Labeller {
 public:
  Labeller(const LabelOptions& options, RunContext& run)
      : options_(options),
        run_(run),
        shard_(ParseShard(options.shard)),
        data_(options.data.Open()),
        generator_(options.model, kMode, run.device()) {
    const int window = generator_.config().num_frames;
    overlap_ = options.overlap > 0 ? options.overlap : window / 2;
    if (overlap_ >= window) {
      throw ConfigError(
          {.where = "--overlap",
           .got = std::to_string(overlap_),
           .expected = "below " + std::to_string(window) + ", the frames of a window of this model",
           .fix = ""});
    }
  }

  LabelReport Run() {
    run_.PrepareOutFolder(shard_.count > 1 ? OutUse::kShared : OutUse::kResumable);
    CheckSettings();
    const std::vector<EpisodeRef>& refs = data_.episodes();
    const size_t count = shard_.SizeOf(refs.size());
    run_.progress().Start("label", static_cast<int64_t>(count));
    for (size_t i = shard_.index; i < refs.size(); i += shard_.count) {
      LabelGuarded(refs[i]);
      run_.progress().Advance(1, refs[i].name);
    }
    run_.progress().Finish();
    RequireOneRead(options_.data.path, count, report_.skipped);
    if (options_.to != kLabels) WriteDataSet();
    return WriteReport();
  }

 private:
  // Labels of two models or options must not end up in one folder.
  void CheckSettings() const {
    nlohmann::json settings = OptionsToJson(options_);
    settings.erase("shard");
    settings.erase("to");      // made of the labels
    settings.erase("layout");  // follows from the data
    settings["seed"] = run_.seed();
    settings["model_content"] = FileStamp(options_.model.model);
    KeepSettings(run_.out() / "settings.json", settings);
  }

  void LabelGuarded(const EpisodeRef& ref) {
    const fs::path folder = run_.out() / ref.name;
    const std::string stamp = data_.Stamp(ref);
    EpisodeLabels labels;
    if (std::optional<EpisodeLabels> earlier = ReadEarlier(folder, stamp)) {
      labels = std::move(*earlier);
      ++report_.num_resumed;
    } else if (!TryOrSkip(ref.name, report_.skipped,
                          [&] { labels.record = LabelEpisode(ref, stamp, labels); })) {
      return;
    }
    std::vector<double> confidence;
    for (const DecodedPose& frame : labels.frames)
      confidence.push_back(frame.decodable ? frame.confidence : 0);
    if (options_.overlay) {
      shown_.push_back({ref.name, labels.record, labels.times_s, confidence});
    }
    confidences_.insert(confidences_.end(), confidence.begin(), confidence.end());
    Add(labels.record);
  }

  void Add(const nlohmann::json& record) {
    ++report_.num_episodes;
    report_.num_frames += record.at("frames").get<int64_t>();
    report_.num_decoded += record.at("decoded").get<int64_t>();
    report_.num_low += record.at("low_confidence").get<int64_t>();
    if (!record.contains("errors")) return;
    qualities_.emplace_back();
    qualities_.back().poses = PoseErrorsFromJson(record["errors"]);
  }

  nlohmann::json LabelEpisode(const EpisodeRef& ref, const std::string& stamp,
                              EpisodeLabels& labels) const {
    const std::unique_ptr<OpenEpisode> episode = data_.Open(ref);
    const Episode& facts = episode->facts();
    const BundleConfig& config = generator_.config();
    CheckViews(ref, facts.clip, config);
    const int stride = Stride(ref, facts);
    WindowReader video(*episode, stride, config.image_width, config.image_height);
    const std::vector<DecodedWindow> windows = DecodeWindows(ref, video, facts);
    std::vector<DecodedPose> frames = BlendWindows(windows, video.num_frames());
    FillFromNeighbours(frames, options_.min_confidence);
    Plan plan{.period_s = 1 / facts.clip.fps, .frames = SpreadOut(frames, stride, facts.times_s)};
    nlohmann::json record = Record(ref, facts, plan);
    record["windows"] = windows.size();
    record["stride"] = stride;
    record["content"] = stamp;
    LabelExtras extras{.times_s = facts.times_s};
    if (options_.overlay) {
      extras.write_more = [&](const fs::path& temporary) {
        WriteOverlays(
            *episode, plan.frames,
            {.min_confidence = options_.min_confidence, .anchor_m = config.action_image.anchor_m},
            temporary);
      };
    }
    WarnOfLabels(ref, record);
    WriteLabels(run_.out() / ref.name, plan, data_.Origin(ref), record, extras);
    labels.frames = std::move(plan.frames);
    labels.times_s = facts.times_s;
    return record;
  }

  // Which frames the model sees: every n-th where the video is that much faster.
  int Stride(const EpisodeRef& ref, const Episode& facts) const {
    const double fps = facts.clip.fps;
    const double model_fps = generator_.config().fps;
    const int stride = std::max(1, static_cast<int>(std::lround(fps / model_fps)));
    if (std::abs(fps / stride / model_fps - 1) > kRateTolerance) {
      LogWarning(ref.name + " has " + ToText(fps) + " frames a second, the model was trained at " +
                 ToText(model_fps));
    }
    const std::string uneven = DescribeUnevenTimes(facts.times_s, fps);
    if (!uneven.empty()) {
      LogWarning(ref.name + " has uneven times (" + uneven +
                 "): frames are taken one by one, their labels have the times of the file");
    }
    return stride;
  }

  // A pose that is a label itself is given only if it was known to that run.
  bool PoseGiven(const Episode& facts) const {
    return options_.first_pose == FirstPose::kData && !facts.clip.poses.empty() &&
           (facts.confidence.empty() || facts.confidence[0] == 1);
  }

  // Every window by itself; the recorded first pose belongs to the first alone.
  std::vector<DecodedWindow> DecodeWindows(const EpisodeRef& ref, WindowReader& video,
                                           const Episode& facts) const {
    const int window = generator_.config().num_frames;
    const Rng rng = Rng(run_.seed()).Derive(StableHash(ref.name), "label");
    std::vector<DecodedWindow> decoded;
    for (const int start : WindowStarts(video.num_frames(), window, overlap_)) {
      decoded.push_back({start, {}});
    }
    for (size_t begin = 0; begin < decoded.size();) {
      const bool pose_given = begin == 0 && PoseGiven(facts);
      const size_t end = pose_given ? 1 : std::min(decoded.size(), begin + kWindowsPerBatch);
      std::vector<Clip> batch;
      for (size_t i = begin; i < end; ++i) batch.push_back(video.Read(decoded[i].start, window));
      if (pose_given) batch[0].poses = {facts.clip.poses[0]};
      const ClipRequest request{
          .first_pose_given = pose_given, .decode_video = false, .temporal_prior = false};
      std::vector<GeneratedClip> generated =
          generator_.Run(batch, request, rng.Derive(begin, "windows"));
      for (size_t i = begin; i < end; ++i)
        decoded[i].frames = std::move(generated[i - begin].poses);
      begin = end;
    }
    return decoded;
  }

  // Labels that nobody should take without looking at the calibration first.
  static void WarnOfLabels(const EpisodeRef& ref, const nlohmann::json& record) {
    const auto num_frames = record.at("frames").get<double>();
    const double share = record.at("decoded").get<double>() / num_frames;
    std::string what;
    if (share < kFewDecoded) {
      what = "only " + PercentText(share) + " % of its frames can be decoded";
    } else if (record.contains("errors")) {
      const double error_mm = Median(PoseErrorsFromJson(record["errors"]).position_mm);
      if (error_mm > kFarMm) {
        what = "its labels lie " + std::to_string(std::lround(error_mm)) +
               " mm from the recorded poses (median)";
      }
    }
    if (what.empty()) return;
    LogWarning(ref.name + ": " + what +
               "; a model that does not know such scenes does that, as do views in another order, "
               "turned pictures and wrong cameras (docs/faq.md, How do I calibrate?)");
  }

  nlohmann::json Record(const EpisodeRef& ref, const Episode& episode, const Plan& labels) const {
    const Clip& clip = episode.clip;
    int decoded = 0;
    int low = 0;
    for (const DecodedPose& frame : labels.frames) {
      decoded += frame.decodable;
      low += !frame.decodable || frame.confidence < options_.min_confidence;
    }
    nlohmann::json record = {{"episode", ref.name},
                             {"source", ref.path.string()},
                             {"prompt", clip.prompt},
                             {"fps", clip.fps},
                             {"frames", labels.frames.size()},
                             {"decoded", decoded},
                             {"low_confidence", low},
                             {"median_confidence", MedianConfidence(labels.frames)}};
    if (clip.poses.size() == labels.frames.size() && episode.confidence.empty()) {
      PoseErrors errors;
      errors.Add(labels.frames, clip.poses);
      record["errors"] = ErrorsJson(errors);
    }
    return record;
  }

  void WriteDataSet() {
    const DataSet labels = OpenDataSet(run_.out(), kLabels).WithViews(options_.data.views);
    CopyDataSet(labels, FindLayout(options_.to), run_.out() / options_.to, run_.progress(),
                report_.skipped);
  }

  LabelReport WriteReport() {
    report_.model = options_.model.model;
    report_.data = options_.data.path;
    report_.first_pose = options_.first_pose;
    report_.median_confidence = Median(std::move(confidences_));
    if (!qualities_.empty()) {
      Rng rng = Rng(run_.seed()).Derive(0, "intervals");
      report_.errors = SummarizeWithIntervals(qualities_, rng);
    }
    const std::string name = shard_.FileStem("report");
    WriteFileAtomic(run_.out() / (name + ".json"), DumpJson(aim::ToJson(report_), 2) + "\n");
    if (options_.overlay) {
      WriteFileAtomic(run_.out() / (name + ".html"),
                      LabelPage(report_, shown_, options_.min_confidence, run_.out()));
    }
    run_.CommitOut();
    if (options_.overlay) LogInfo("the page is " + (run_.out() / (name + ".html")).string());
    return report_;
  }

  LabelOptions options_;
  RunContext& run_;
  Shard shard_;
  DataSet data_;
  ClipGenerator generator_;
  int overlap_ = 0;
  LabelReport report_;
  std::vector<double> confidences_;  // of all frames so far
  std::vector<ShownClip> shown_;     // for the page
  std::vector<ClipQuality> qualities_;
};

}  // namespace

Limits LabelLayouts() {
  Limits limits = WritableLayouts();
  limits.choices.insert(limits.choices.begin(), kLabels);
  return limits;
}

void LabelOptions::Validate() const {
  CheckRanges(*this);
  model.Validate();
  if (ParseShard(shard).count > 1 && to != kLabels) {
    throw ConfigError({.where = "--to",
                       .got = to + " with --shard",
                       .expected = "labels: one of several processes does not see them all",
                       .fix = "when all have ended, aim-data convert OUT OTHER --to " + to});
  }
  data.Validate();
}

nlohmann::json ToJson(const LabelReport& report) {
  nlohmann::json json = {{"model", report.model},
                         {"data", report.data},
                         {"first_pose", ToWord(report.first_pose)},
                         {"episodes", report.num_episodes},
                         {"resumed", report.num_resumed},
                         {"frames", report.num_frames},
                         {"decoded", report.num_decoded},
                         {"low_confidence", report.num_low},
                         {"median_confidence", report.median_confidence}};
  AddSkipped(report.skipped, json);
  if (report.errors) json["errors"] = ToJson(*report.errors);
  return json;
}

LabelReport RunLabel(const LabelOptions& options, RunContext& run) {
  options.Validate();
  return Labeller(options, run).Run();
}

}  // namespace aim
