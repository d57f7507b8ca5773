#include "aim/calibration/doctor.h"

#include <algorithm>
#include <cmath>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/text.h"
#include "aim/codec/pose_csv.h"
#include "calibration/diagnosis.h"
#include "calibration/doctor_pictures.h"
#include "calibration/footage.h"
#include "calibration/recording.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr const char* kReportFile = "doctor.json";
constexpr const char* kOverlayFile = "overlay.png";
constexpr const char* kCamerasFile = "cameras.json";
constexpr const char* kPosesFile = "poses.csv";

json NumberJson(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

json NumbersJson(const std::vector<double>& values) {
  json list = json::array();
  for (const double value : values) list.push_back(NumberJson(value));
  return list;
}

json ReadingJson(const CameraReading& reading, const ReadingScore& score) {
  return {{"inverted", reading.inverted},
          {"backward", reading.backward},
          {"mirrored_x", reading.mirrored_x},
          {"mirrored_y", reading.mirrored_y},
          {"words", ToWords(reading)},
          {"score", NumberJson(score.score)},
          {"views", NumbersJson(score.view_scores)}};
}

// The camera reading that this view alone agrees with best.
std::string BestReading(const DoctorReport& report, size_t view) {
  size_t best = 0;
  for (size_t i = 1; i < report.readings.size(); ++i) {
    const auto score = [&](size_t index) { return report.hypotheses[index].view_scores[view]; };
    if (score(i) > score(best)) best = i;
  }
  return ToWords(report.readings[best]);
}

// Poses at the frames that show them; what was not recorded repeats the first or last one.
std::vector<ToolPose> AtFrames(const std::vector<ToolPose>& poses, int lag_frames) {
  std::vector<ToolPose> shifted;
  const auto last = static_cast<int>(poses.size()) - 1;
  for (int frame = 0; frame <= last; ++frame) {
    shifted.push_back(poses[static_cast<size_t>(std::clamp(frame + lag_frames, 0, last))]);
  }
  return shifted;
}

bool IsOfPoses(const Diagnosis& diagnosis, const ClipNumbers& given) {
  switch (diagnosis.verdict) {
    case Verdict::kTimeOffset:
    case Verdict::kQuaternionOrder:
    case Verdict::kInvertedGripper:
    case Verdict::kToolFrame:
      return true;
    case Verdict::kMillimetres:
      return diagnosis.corrected.poses[0].world_from_tool.translation !=
             given.poses[0].world_from_tool.translation;
    default:
      return false;
  }
}

// Cameras as every tool reads them. Empty if no rigid transform can say what the pictures show.
std::vector<CameraTrack> WritableCameras(const Diagnosis& diagnosis) {
  std::vector<CameraTrack> tracks = ChangeAll(
      diagnosis.corrected.cameras, [](const Camera& camera) { return ReadAs({}, camera); });
  for (const CameraTrack& track : tracks) {
    if (track.frames[0].fx > 0 && track.frames[0].fy > 0) continue;
    LogWarning("the pictures are mirrored: no camera sees them so; flip them and ask again");
    return {};
  }
  return tracks;
}

// Returns the file that was written.
std::vector<std::string> WriteCorrected(const Recording& recording, const Diagnosis& diagnosis,
                                        const std::filesystem::path& out) {
  if (diagnosis.verdict == Verdict::kOk || diagnosis.verdict == Verdict::kUndecided) return {};
  if (IsOfPoses(diagnosis, recording.numbers)) {
    WritePosesCsv(out / kPosesFile, AtFrames(diagnosis.corrected.poses, diagnosis.lag_frames),
                  recording.period_s);
    return {kPosesFile};
  }
  const std::vector<CameraTrack> tracks = WritableCameras(diagnosis);
  if (tracks.empty()) return {};
  WriteCamerasJson(out / kCamerasFile, tracks);
  return {kCamerasFile};
}

DoctorReport MakeReport(const Recording& recording, const std::vector<Hypothesis>& hypotheses,
                        const Diagnosis& diagnosis) {
  DoctorReport report{.verdict = diagnosis.verdict,
                      .usable = diagnosis.usable,
                      .sentence = diagnosis.sentence,
                      .num_frames = recording.num_frames,
                      .view_names = {},
                      .views_seen = diagnosis.seen,
                      .views = diagnosis.views,
                      .given_score = diagnosis.given_score,
                      .best_score = diagnosis.best_score,
                      .lag_frames = 0,
                      .period_s = recording.period_s,
                      .opening_axis_evidence = diagnosis.opening_axis_evidence,
                      .finger_evidence = diagnosis.finger_evidence,
                      .hypotheses = {},
                      .files = {}};
  const auto& cameras = recording.numbers.cameras;
  for (size_t view = 0; view < cameras.size(); ++view) {
    report.view_names.push_back(cameras[view].name);
  }
  double best_time = diagnosis.given_score;
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    const double score = MeanScore(diagnosis.scores[i], diagnosis.seen);
    report.hypotheses.push_back(
        {hypotheses[i].verdict, hypotheses[i].words, score, diagnosis.scores[i]});
    if (hypotheses[i].verdict == Verdict::kTimeOffset && score > best_time) {
      best_time = score;
      report.lag_frames = hypotheses[i].lag_frames;
    }
  }
  return report;
}

std::set<int> Joined(std::set<int> a, const std::set<int>& b) {
  a.insert(b.begin(), b.end());
  return a;
}

}  // namespace

void DoctorOptions::Validate() const {
  const bool has_files = !video.empty() || !poses.empty() || !cameras.empty();
  if (!has_files) return data.Validate();
  if (!data.path.empty()) {
    throw ConfigError(
        {"--data", "given beside --video, --poses or --cameras", "one or the other", ""});
  }
  const auto require = [](bool is_given, const char* flag, const char* expected) {
    if (!is_given) throw ConfigError({flag, "missing", expected, ""});
  };
  require(!video.empty(), "--video", "the video of each view");
  require(!poses.empty(), "--poses", "a poses.csv file");
  require(!cameras.empty(), "--cameras", "a cameras.json file");
}

json ToJson(const DoctorReport& report) {
  json views = json::array();
  for (size_t view = 0; view < report.view_names.size(); ++view) {
    const bool is_concerned =
        std::find(report.views.begin(), report.views.end(), view) != report.views.end();
    views.push_back({{"name", report.view_names[view]},
                     {"sees_tool", static_cast<bool>(report.views_seen[view])},
                     {"concerned", is_concerned},
                     {"best_reading", BestReading(report, view)},
                     {"score", NumberJson(report.hypotheses[0].view_scores[view])}});
  }
  json readings = json::array();
  for (size_t i = 0; i < report.readings.size(); ++i) {
    readings.push_back(ReadingJson(report.readings[i], report.hypotheses[i]));
  }
  json hypotheses = json::array();
  for (const ReadingScore& hypothesis : report.hypotheses) {
    hypotheses.push_back({{"verdict", ToWord(hypothesis.verdict)},
                          {"words", hypothesis.words},
                          {"score", NumberJson(hypothesis.score)},
                          {"views", NumbersJson(hypothesis.view_scores)}});
  }
  return {{"verdict", ToWord(report.verdict)},
          {"usable", report.usable},
          {"sentence", report.sentence},
          {"frames", report.num_frames},
          {"views", std::move(views)},
          {"given_score", NumberJson(report.given_score)},
          {"best_score", NumberJson(report.best_score)},
          {"lag_frames", report.lag_frames},
          {"lag_s", report.lag_frames * report.period_s},
          {"opening_axis_evidence", NumberJson(report.opening_axis_evidence)},
          {"finger_evidence", NumberJson(report.finger_evidence)},
          {"readings", std::move(readings)},
          {"hypotheses", std::move(hypotheses)},
          {"files", report.files}};
}

json ToBriefJson(const DoctorReport& report) {
  return {{"verdict", ToWord(report.verdict)},
          {"usable", report.usable},
          {"sentence", report.sentence},
          {"files", report.files}};
}

DoctorReport RunDoctor(const DoctorOptions& options, RunContext& run) {
  options.Validate();
  const Recording recording = OpenRecording(options, run);
  const ClipNumbers& given = recording.numbers;
  const MotionPlan plan = PlanMotion(given.poses, recording.num_frames);
  const std::vector<int> changes = GripperChanges(given.poses, recording.num_frames);
  const std::set<int> shown = ShownFrames(recording.num_frames);
  const Footage footage =
      WatchRecording(recording, plan, Joined(shown, FramesOfChanges(changes)), run.progress());
  const std::vector<Hypothesis> hypotheses = AllHypotheses(given);
  const Diagnosis diagnosis =
      Diagnose(hypotheses, plan, footage.motion,
               FingerEvidence(given.cameras, given.poses, changes, footage.pictures));
  DoctorReport report = MakeReport(recording, hypotheses, diagnosis);
  run.PrepareOutFolder(OutUse::kNew);
  WriteImage(run.out() / kOverlayFile, DrawOverlays(given, diagnosis, shown, footage.pictures));
  report.files = {kReportFile, kOverlayFile};
  if (options.fix) {
    for (const std::string& file : WriteCorrected(recording, diagnosis, run.out())) {
      report.files.push_back(file);
    }
  }
  WriteFileAtomic(run.out() / kReportFile, DumpJson(ToJson(report), 1) + "\n");
  run.CommitOut();
  return report;
}

}  // namespace aim
