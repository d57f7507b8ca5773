#include "aim/metrics/pose_scores.h"

#include <numeric>
#include <optional>
#include <string>

#include "aim/base/error.h"
#include "aim/codec/action_image.h"
#include "aim/metrics/clip_quality.h"

namespace aim {
namespace {

Score MeanScore(const std::vector<double>& values) {
  return {.num_values = static_cast<int64_t>(values.size()),
          .ratios = {{std::accumulate(values.begin(), values.end(), 0.0),
                      static_cast<double>(values.size())}}};
}

bool IsClosed(const ToolPose& pose) { return pose.gripper_open <= 0.5; }

// 2 TP / (2 TP + FP + FN) of "closed".
Score GripperF1(std::span<const DecodedPose> judged, std::span<const ToolPose> truth) {
  double both = 0;
  double either = 0;  // each time that one of them is closed
  int64_t num_frames = 0;
  for (size_t frame = 1; frame < truth.size(); ++frame) {
    if (!judged[frame].decodable) continue;
    const bool judged_closed = IsClosed(judged[frame].pose);
    const bool truly_closed = IsClosed(truth[frame]);
    both += judged_closed && truly_closed ? 2 : 0;
    either += (judged_closed ? 1 : 0) + (truly_closed ? 1 : 0);
    ++num_frames;
  }
  return {.num_values = num_frames, .ratios = {{both, either}}};
}

bool IsInPicture(const std::optional<Projection>& mark, const Camera& camera) {
  return mark && mark->uv.x() >= 0 && mark->uv.y() >= 0 && mark->uv.x() <= camera.width &&
         mark->uv.y() <= camera.height;
}

// The marks of all views, frame by frame.
class MarkScores {
 public:
  void Add(const std::string& view, const Camera& camera, const DecodedPose& judged,
           const ToolPose& truth) {
    const auto judged_marks = AnchorPoints(judged.pose);
    const auto true_marks = AnchorPoints(truth);
    for (size_t mark = 0; mark < kMarkNames.size(); ++mark) {
      const std::optional<Projection> found =
          judged.decodable ? Project(camera, judged_marks[mark]) : std::nullopt;
      const std::optional<Projection> wanted = Project(camera, true_marks[mark]);
      const bool is_there = IsInPicture(wanted, camera);
      std::optional<double> distance_px;
      if (found && is_there) distance_px = (found->uv - wanted->uv).norm();
      Count(distance_px, is_there, IsInPicture(found, camera));
      if (is_there && judged.decodable) {
        ++num_there_;
        if (!distance_px) ++num_behind_;
      }
      if (!distance_px) continue;
      scores_["error_2d_px/" + view + "/" + kMarkNames[mark]].AddValue(*distance_px);
      scores_["trajectory_px"].AddValue(*distance_px);
    }
  }

  Scores Finish() {
    Score average;
    for (size_t i = 0; i < kJaccardPx.size() && num_marks_ > 0; ++i) {
      const Score index = {.num_values = num_marks_, .ratios = {jaccard_[i]}};
      scores_["jaccard_" + std::to_string(kJaccardPx[i])] = index;
      average.ratios.push_back(jaccard_[i]);
    }
    average.num_values = num_marks_;
    if (num_marks_ > 0) scores_["jaccard"] = average;
    if (num_behind_ > 0) scores_["behind_camera"] = ShareOf(num_behind_, num_there_);
    return std::move(scores_);
  }

 private:
  void Count(const std::optional<double>& distance_px, bool is_there, bool is_shown) {
    if (is_there || is_shown) ++num_marks_;
    for (size_t i = 0; i < kJaccardPx.size(); ++i) {
      const bool is_found = is_there && is_shown && distance_px && *distance_px <= kJaccardPx[i];
      if (is_found) jaccard_[i].sum += 1;
      // TP + FP + FN: one that is found, else each of the two that stands there.
      jaccard_[i].count += is_found ? 1 : (is_there ? 1 : 0) + (is_shown ? 1 : 0);
    }
  }

  Scores scores_;
  std::array<Ratio, kJaccardPx.size()> jaccard_ = {};
  int64_t num_marks_ = 0;
  int num_there_ = 0;
  int num_behind_ = 0;
};

}  // namespace

Scores ScorePoses(std::span<const DecodedPose> judged, std::span<const ToolPose> truth,
                  std::span<const CameraTrack> cameras) {
  PoseErrors errors;
  errors.Add(judged, truth);
  MarkScores marks;
  for (size_t view = 0; view < cameras.size(); ++view) {
    if (cameras[view].frames.empty()) continue;
    for (size_t frame = 1; frame < truth.size(); ++frame) {
      marks.Add(cameras[view].name, cameras[view].at(frame), judged[frame], truth[frame]);
    }
  }
  Scores scores = marks.Finish();
  scores["position_mm"] = MeanScore(errors.position_mm);
  scores["rotation_deg"] = MeanScore(errors.rotation_deg);
  scores["gripper_accuracy"] =
      ShareOf(errors.gripper_right, errors.num_frames - errors.not_decodable);
  scores["not_decodable"] = ShareOf(errors.not_decodable, errors.num_frames);
  scores["gripper_f1"] = GripperF1(judged, truth);
  return scores;
}

}  // namespace aim
