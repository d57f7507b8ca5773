#include "pipeline/compare_episode.h"

#include <algorithm>
#include <cstdlib>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/data/skipped.h"
#include "aim/media/resize.h"
#include "aim/metrics/pose_scores.h"
#include "pipeline/clip_rate.h"

namespace aim {
namespace {

// One of the two.
struct ComparedSide {
  OpenEpisode& episode;
  std::vector<int> frames;  // of the recording

  const Clip& clip() const { return episode.facts().clip; }
  double fps(const EpisodeEdit& edit) const { return edit.fps > 0 ? edit.fps : clip().fps; }
  int width(const EpisodeEdit& edit) const { return edit.width > 0 ? edit.width : clip().width; }
  int height(const EpisodeEdit& edit) const {
    return edit.height > 0 ? edit.height : clip().height;
  }
};

std::vector<std::string> ViewNames(const Clip& clip) {
  std::vector<std::string> names;
  for (const ClipView& view : clip.views) names.push_back(view.camera.name);
  return names;
}

class EpisodeMeasurement {
 public:
  EpisodeMeasurement(const CompareOptions& options, const MetricNetworks& networks,
                     OpenEpisode& judged, OpenEpisode& truth)
      : options_(options),
        metrics_(options.measure.Chosen()),
        networks_(networks),
        judged_{judged, FramesTaken(judged, options.edit)},
        truth_{truth, FramesTaken(truth, options.edit)} {}

  EpisodeComparison Run(ClipFeatures& features) {
    CheckRates();
    CheckLengths();
    result_.num_frames = static_cast<int>(truth_.frames.size());
    result_.size = SizeText(truth_.width(options_.edit), truth_.height(options_.edit));
    if (AsksForPictures()) {
      PairViews();
      CheckSizes();
      MeasurePictures();
    }
    if (Asks(Metric::kPose)) MeasurePoses();
    const auto append = [](std::vector<Eigen::VectorXd>& all, std::vector<Eigen::VectorXd>& more) {
      all.insert(all.end(), more.begin(), more.end());
    };
    append(features.judged, features_.judged);
    append(features.truth, features_.truth);
    return std::move(result_);
  }

 private:
  bool Asks(Metric metric) const { return metrics_.contains(metric); }
  bool AsksForPictures() const { return metrics_.size() > (Asks(Metric::kPose) ? 1U : 0U); }

  [[noreturn]] void FailPair(const std::string& judged, const std::string& truth,
                             const std::string& expected, const std::string& fix) const {
    throw UnfitError({.where = judged_.episode.where(),
                      .got = judged + " where the truth has " + truth,
                      .expected = expected,
                      .fix = fix});
  }

  void CheckRates() const {
    const double judged = judged_.fps(options_.edit);
    const double truth = truth_.fps(options_.edit);
    if (IsModelRate(judged, truth)) return;
    FailPair("at " + RateText(judged) + " frames a second", RateText(truth), "one rate",
             "bring both to one with --fps " + RateText(std::min(judged, truth)));
  }

  // Two recordings of one moment, brought to another rate, may end a frame apart.
  void CheckLengths() {
    const auto judged = static_cast<int64_t>(judged_.frames.size());
    const auto truth = static_cast<int64_t>(truth_.frames.size());
    if (std::abs(judged - truth) > (options_.edit.fps > 0 ? 1 : 0)) {
      FailPair(CountText(judged, "frame") + " long", std::to_string(truth), "as many", "");
    }
    const auto count = static_cast<size_t>(std::min(judged, truth));
    judged_.frames.resize(count);
    truth_.frames.resize(count);
    if (count > 1) return;
    throw InputError({.where = judged_.episode.where(),
                      .got = "one frame",
                      .expected = "at least two: the first, which a model is given, does not count",
                      .fix = ""});
  }

  // By name, unless names were given for both.
  void PairViews() {
    const std::vector<std::string> judged = ViewNames(judged_.clip());
    const std::vector<std::string> truth = ViewNames(truth_.clip());
    const bool by_order = !options_.truth.views.empty();
    const bool same = std::is_permutation(judged.begin(), judged.end(), truth.begin(), truth.end());
    if (by_order ? judged.size() != truth.size() : !same) {
      FailPair("seen by " + Join(judged), Join(truth), "the same views",
               "say which belong together with --views and --truth-views, in the same order");
    }
    if (!by_order && judged != truth) truth_.episode.KeepViews(judged);
  }

  void CheckSizes() const {
    const std::string judged =
        SizeText(judged_.width(options_.edit), judged_.height(options_.edit));
    const std::string truth = SizeText(truth_.width(options_.edit), truth_.height(options_.edit));
    if (judged == truth) return;
    FailPair("of " + judged + " pixels", truth, "one size",
             "bring both to one with --width and --height");
  }

  void MeasurePictures() {
    const int count = result_.num_frames;
    const int fvd_frames = options_.measure.fvd_frames;
    const PictureMeasure measure(
        options_.measure, networks_,
        {judged_.width(options_.edit), judged_.height(options_.edit), count}, result_.missing);
    for (int begin = 0; begin < count; begin += fvd_frames) {
      const FrameRange range{begin, std::min(count, begin + fvd_frames)};
      const Clip judged = ReadEdited(judged_.episode, options_.edit, range).clip;
      const Clip truth = ReadEdited(truth_.episode, options_.edit, range).clip;
      measure.Score(judged, truth, begin == 0 ? 1 : 0, result_.scores);  // the first was given
      measure.AddFeatures(judged, features_.judged);
      measure.AddFeatures(truth, features_.truth);
    }
    if (Asks(Metric::kPsnr) && !result_.scores.contains("psnr_db")) {
      result_.missing["psnr_db"] = "every picture equals the true one";
    }
  }

  void MeasurePoses() {
    for (const ComparedSide* side : {&judged_, &truth_}) {
      const auto recorded = static_cast<int>(side->clip().poses.size());
      if (recorded == side->episode.num_frames()) continue;
      const char* which = side == &judged_ ? "" : "the truth has ";
      result_.missing["pose"] =
          which + (recorded == 0 ? std::string("no poses") : "no more than the first pose");
      return;
    }
    LeaveOutUnknownTruth();
    const std::vector<CameraTrack> cameras = Cameras();
    for (const CameraTrack& camera : cameras) {
      if (!camera.frames.empty()) continue;
      result_.missing["error_2d_px/" + camera.name] = "no camera of the view is known";
    }
    const Scores scores = ScorePoses(JudgedPoses(), TruePoses(), cameras);
    for (const auto& [name, score] : scores) {
      if (score.Value()) {
        result_.scores[name] = score;
      } else if (name == "gripper_f1" && score.num_values > 0) {
        result_.missing[name] = "no gripper ever closes";
      } else {
        result_.missing[name] = "no frame could be decoded";
      }
    }
    if (!scores.contains("jaccard")) NameUnseen(cameras);
  }

  // Labels that are taken for the truth say nothing where they have no confidence.
  void LeaveOutUnknownTruth() {
    const std::vector<double>& confidence = truth_.episode.facts().confidence;
    if (confidence.empty()) return;
    std::vector<int> judged, truth;
    for (size_t k = 0; k < truth_.frames.size(); ++k) {
      if (k > 0 && confidence[static_cast<size_t>(truth_.frames[k])] <= 0) continue;
      judged.push_back(judged_.frames[k]);
      truth.push_back(truth_.frames[k]);
    }
    const auto num_left_out = static_cast<int64_t>(truth_.frames.size() - truth.size());
    if (num_left_out > 0) {
      result_.missing["pose_of_frames"] =
          "the truth has no pose in " + CountText(num_left_out, "frame");
    }
    judged_.frames = std::move(judged);
    truth_.frames = std::move(truth);
  }

  void NameUnseen(const std::vector<CameraTrack>& cameras) {
    const bool blind = std::all_of(cameras.begin(), cameras.end(),
                                   [](const CameraTrack& track) { return track.frames.empty(); });
    const char* reason = blind ? "no cameras are known" : "no mark lies in a picture";
    for (const char* name : {"trajectory_px", "jaccard"}) result_.missing[name] = reason;
  }

  // Cameras of the judged recording, for pictures of the true one's size.
  std::vector<Camera> AtTrueSize(std::vector<Camera> frames) const {
    const Clip& truth = truth_.clip();
    for (Camera& camera : frames) {
      camera = CropAndResize(camera, 0, 0, camera.width, camera.height, truth.width, truth.height);
    }
    return frames;
  }

  // The true ones, at the size asked for or that of their recording; those of the judged where
  // these are not known.
  std::vector<CameraTrack> Cameras() const {
    std::vector<CameraTrack> cameras = CamerasOf(truth_.clip());
    const std::vector<CameraTrack> others = CamerasOf(judged_.clip());
    for (size_t view = 0; view < cameras.size(); ++view) {
      CameraTrack& camera = cameras[view];
      const ComparedSide& side = camera.frames.empty() ? judged_ : truth_;
      if (camera.frames.empty()) camera.frames = AtTrueSize(others.at(view).frames);
      for (Camera& frame : camera.frames) {
        frame = FitCamera(frame, truth_.width(options_.edit), truth_.height(options_.edit));
      }
      if (camera.frames.size() < 2) continue;
      std::vector<Camera> taken;
      for (const int frame : side.frames) taken.push_back(camera.at(static_cast<size_t>(frame)));
      camera.frames = std::move(taken);
    }
    return cameras;
  }

  std::vector<DecodedPose> JudgedPoses() const {
    const Episode& facts = judged_.episode.facts();
    std::vector<DecodedPose> poses;
    for (const int frame : judged_.frames) {
      const auto k = static_cast<size_t>(frame);
      const double confidence = facts.confidence.empty() ? 1 : facts.confidence[k];
      poses.push_back({.pose = facts.clip.poses[k],
                       .decodable = confidence > 0,
                       .confidence = confidence,
                       .visible = {}});
    }
    return poses;
  }

  std::vector<ToolPose> TruePoses() const {
    std::vector<ToolPose> poses;
    for (const int frame : truth_.frames) {
      poses.push_back(truth_.clip().poses[static_cast<size_t>(frame)]);
    }
    return poses;
  }

  const CompareOptions& options_;
  std::set<Metric> metrics_;
  const MetricNetworks& networks_;
  ComparedSide judged_;
  ComparedSide truth_;
  EpisodeComparison result_;
  ClipFeatures features_;
};

}  // namespace

EpisodeComparison CompareEpisode(const CompareOptions& options, const MetricNetworks& networks,
                                 OpenEpisode& judged, OpenEpisode& truth, ClipFeatures& features) {
  return EpisodeMeasurement(options, networks, judged, truth).Run(features);
}

}  // namespace aim
