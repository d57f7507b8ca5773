#include "calibration/diagnosis.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"

namespace aim {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kSeenScore = 0.15;     // a view that no hypothesis reaches it in shows no tool
constexpr double kFittingScore = 0.25;  // of numbers that are right
constexpr double kReadingMargin = 0.1;  // by which another reading must be better
constexpr double kSwapMargin = 0.08;    // the same for swapped views,
constexpr double kOrderMargin = 0.05;   // the order of quaternions,
constexpr double kSlightMargin = 0.02;  // a shift in time or of the principal point
constexpr double kPlainMargin = 0.05;   // of the hand alone, whatever is beside it
constexpr double kCentreContradicts = -0.05;  // gains below which an off-centre principal point,
constexpr double kOrderContradicts = -0.03;   // quaternions as given, and
constexpr double kSwapContradicts = -0.08;    // views as given, are right
constexpr int kLeastLagFrames = 2;            // a command leads what the robot does by one
constexpr int kLeastLagPairs = 8;             // that a shift in time must be seen in
constexpr double kTurnedEvidence = -0.03;     // below it the tool is turned,
constexpr double kStraightEvidence = 0.02;    // above it it is not
constexpr double kInvertedFingers = -0.35;
constexpr double kRightFingers = 0.15;

double MarginOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSwappedViews:
      return kSwapMargin;
    case Verdict::kQuaternionOrder:
      return kOrderMargin;
    case Verdict::kTimeOffset:
    case Verdict::kPrincipalPoint:
      return kSlightMargin;
    default:
      return kReadingMargin;
  }
}

// A hypothesis where it helps: only some views may need it.
struct Trial {
  size_t hypothesis = 0;
  std::vector<size_t> views;  // concerned
  double score = kNan;        // mean over all views that show the tool
  double gain = kNan;         // mean over those concerned that show it; with SidewaysGain
  double own_score = kNan;    // of those
};

class Judgement {
 public:
  Judgement(const std::vector<Hypothesis>& hypotheses, const MotionPlan& plan,
            const std::vector<ViewMotion>& motion)
      : hypotheses_(hypotheses), plan_(plan), motion_(motion), num_views_(motion.size()) {
    for (const Hypothesis& hypothesis : hypotheses) {
      std::vector<double> row;
      for (size_t view = 0; view < num_views_; ++view) {
        row.push_back(MotionAgreement(
            {hypothesis.numbers.cameras[view], hypothesis.numbers.poses, hypothesis.lag_frames},
            plan, motion[view]));
      }
      scores_.push_back(std::move(row));
    }
    for (size_t view = 0; view < num_views_; ++view) {
      seen_.push_back(std::any_of(scores_.begin(), scores_.end(),
                                  [&](const auto& row) { return row[view] >= kSeenScore; }));
    }
  }

  const std::vector<std::vector<double>>& scores() const { return scores_; }
  const std::vector<bool>& seen() const { return seen_; }
  double GivenScore() const { return MeanScore(scores_[0], seen_); }

  Trial Try(size_t index) const {
    Trial trial{.hypothesis = index, .views = Concerned(index)};
    std::vector<double> mixed = scores_[0];
    std::vector<bool> concerned(num_views_, false);
    for (const size_t view : trial.views) {
      mixed[view] = scores_[index][view];
      concerned[view] = seen_[view];
    }
    trial.score = MeanScore(mixed, seen_);
    trial.own_score = MeanScore(mixed, concerned);
    trial.gain = trial.own_score - MeanScore(scores_[0], concerned);
    if (hypotheses_[index].verdict == Verdict::kPrincipalPoint) {
      if (trial.gain < kPlainMargin) trial.gain += SidewaysGain(index, concerned);
    }
    return trial;
  }

  // The hypothesis that explains the pictures best, if one does so clearly better than the numbers
  // as given.
  std::optional<Trial> BestFault() const {
    std::optional<Trial> best;
    for (size_t index = 1; index < hypotheses_.size(); ++index) {
      const Trial trial = Try(index);
      if (IsClear(trial) && (!best || trial.score > best->score)) best = trial;
    }
    return best;
  }

  // A fault against which the pictures do not speak, and that is no clear improvement either.
  std::optional<Trial> Doubt(Verdict verdict, double contradicting_gain) const {
    for (size_t index = 1; index < hypotheses_.size(); ++index) {
      const Hypothesis& hypothesis = hypotheses_[index];
      if (hypothesis.verdict != verdict) continue;
      if (std::abs(hypothesis.lag_frames) == 1) continue;  // no fault
      const Trial trial = Try(index);
      if (trial.gain > contradicting_gain) return trial;
    }
    return std::nullopt;
  }

 private:
  // What the sides of the hand add, in views that a hypothesis moves more sideways than up or down:
  // above the hand is the arm, which moves along with it.
  double SidewaysGain(size_t index, const std::vector<bool>& concerned) const {
    std::vector<double> gains(num_views_, 0.0);
    for (size_t view = 0; view < num_views_; ++view) {
      const auto at = [&](const Hypothesis& hypothesis) -> const CameraTrack& {
        return hypothesis.numbers.cameras[view];
      };
      const Camera& given = at(hypotheses_[0]).frames[0];
      const Camera& moved = at(hypotheses_[index]).frames[0];
      const double sideways = std::abs(moved.cx - given.cx) / given.width;
      if (!concerned[view] || sideways < std::abs(moved.cy - given.cy) / given.height) continue;
      const auto contrast = [&](const Hypothesis& hypothesis) {
        return MotionContrast({at(hypothesis), hypothesis.numbers.poses}, plan_, motion_[view]);
      };
      gains[view] = contrast(hypotheses_[index]) - contrast(hypotheses_[0]);
    }
    return MeanScore(gains, concerned);
  }

  // Views in which the hypothesis changes something, and, of those that may be right by themselves,
  // only those that it helps; all, if it helps all that show the tool.
  std::vector<size_t> Concerned(size_t index) const {
    const Hypothesis& hypothesis = hypotheses_[index];
    std::vector<size_t> views = hypothesis.views;
    if (views.empty()) {
      views.resize(num_views_);
      std::iota(views.begin(), views.end(), size_t{0});
    }
    if (!hypothesis.of_each_view) return views;
    std::vector<size_t> helped;
    bool helps_all = true;
    for (const size_t view : views) {
      if (!seen_[view]) continue;
      if (scores_[index][view] - scores_[0][view] >= kReadingMargin) {
        helped.push_back(view);
      } else {
        helps_all = false;
      }
    }
    return helps_all ? views : helped;
  }

  bool IsClear(const Trial& trial) const {
    const Hypothesis& hypothesis = hypotheses_[trial.hypothesis];
    if (!(trial.gain >= MarginOf(hypothesis.verdict))) return false;
    if (!(trial.own_score >= kFittingScore)) return false;
    if (hypothesis.verdict != Verdict::kTimeOffset) return true;
    if (std::abs(hypothesis.lag_frames) < kLeastLagFrames) return false;
    if (CountPairs(plan_, hypothesis.numbers.poses.size(), hypothesis.lag_frames) <
        kLeastLagPairs) {
      return false;
    }
    for (size_t view = 0; view < num_views_; ++view) {  // no view may contradict
      const double gain = scores_[trial.hypothesis][view] - scores_[0][view];
      if (seen_[view] && !(gain > -kSlightMargin)) return false;
    }
    return true;
  }

  const std::vector<Hypothesis>& hypotheses_;
  const MotionPlan& plan_;
  const std::vector<ViewMotion>& motion_;
  size_t num_views_;
  std::vector<std::vector<double>> scores_;
  std::vector<bool> seen_;
};

std::string ScoreText(double score) { return ToText(std::round(100 * score) / 100); }

std::string NamesOf(const std::vector<CameraTrack>& cameras, const std::vector<size_t>& views,
                    std::string_view separator = ", ") {
  std::vector<std::string> names;
  names.reserve(views.size());
  for (const size_t view : views) names.push_back(NameOfView(cameras[view], view));
  return Join(names, separator);
}

void ConcludeFault(const std::vector<Hypothesis>& hypotheses, const Trial& trial,
                   Diagnosis& diagnosis) {
  const Hypothesis& found = hypotheses[trial.hypothesis];
  diagnosis.verdict = found.verdict;
  diagnosis.best = trial.hypothesis;
  diagnosis.best_score = trial.score;
  diagnosis.views = trial.views;
  diagnosis.lag_frames = found.lag_frames;
  diagnosis.corrected.poses = found.numbers.poses;
  for (const size_t view : trial.views) {
    diagnosis.corrected.cameras[view].frames = found.numbers.cameras[view].frames;
  }
  const bool all = trial.views.size() == diagnosis.seen.size();
  diagnosis.sentence = found.words +
                       (all ? "" : " (" + NamesOf(found.numbers.cameras, trial.views) + ")") +
                       "; agreement with the pictures " + ScoreText(trial.score) + ", as given " +
                       ScoreText(diagnosis.given_score);
}

// Negative focal lengths that, read as RLBench means them, show the tool where it is.
bool ConcludeStoredSigns(Diagnosis& diagnosis) {
  for (size_t view = 0; view < diagnosis.seen.size(); ++view) {
    if (HasNegativeFocal(diagnosis.corrected.cameras[view])) diagnosis.views.push_back(view);
  }
  if (diagnosis.views.empty()) return false;
  diagnosis.verdict = Verdict::kNegativeFocal;
  diagnosis.sentence =
      "focal lengths are negative and the axes go with them (x left, y up, as RLBench stores "
      "cameras): the pictures fit, but only OpenCV's axes are read elsewhere";
  return true;
}

// Sizes that are declared for other pictures although the rest fits these.
bool ConcludeDeclaredSize(const ClipNumbers& given, Diagnosis& diagnosis) {
  for (size_t view = 0; view < diagnosis.seen.size(); ++view) {
    if (given.declared[view] != 1) diagnosis.views.push_back(view);
  }
  if (diagnosis.views.empty()) return false;
  diagnosis.verdict = Verdict::kOtherResolution;
  diagnosis.sentence = "the cameras are declared for pictures of another size, but fit these";
  return true;
}

// The tool turned by a quarter turn about z. Which way cannot be seen: fingers look alike.
void TurnTools(Diagnosis& diagnosis) {
  const Eigen::Quaterniond quarter(
      Eigen::AngleAxisd(0.5 * std::numbers::pi, Eigen::Vector3d::UnitZ()));
  for (ToolPose& pose : diagnosis.corrected.poses) {
    pose.world_from_tool.rotation = (pose.world_from_tool.rotation * quarter).normalized();
  }
}

// What only the hand's shape and the fingers show. Cameras, times and positions fit.
void ConcludeTool(double finger_evidence, Diagnosis& diagnosis) {
  const double axis = diagnosis.opening_axis_evidence;
  if (axis < kTurnedEvidence) {
    diagnosis.verdict = Verdict::kToolFrame;
    diagnosis.sentence =
        "the hand is wide along the tool's x axis: the tool frame is turned by 90 degrees about z "
        "(y must be the axis along which the fingers open)";
    return TurnTools(diagnosis);
  }
  if (axis > kStraightEvidence && finger_evidence < kInvertedFingers) {
    diagnosis.verdict = Verdict::kInvertedGripper;
    diagnosis.sentence = "the fingers part where gripper_open falls: it is inverted (1 is open)";
    for (ToolPose& pose : diagnosis.corrected.poses) pose.gripper_open = 1 - pose.gripper_open;
    return;
  }
  diagnosis.usable = true;
  const auto num_seen = std::count(diagnosis.seen.begin(), diagnosis.seen.end(), true);
  const std::string fits = "cameras, times and positions fit the pictures of " +
                           std::to_string(num_seen) + " of " +
                           CountText(static_cast<int64_t>(diagnosis.seen.size()), "view") +
                           " (agreement " + ScoreText(diagnosis.given_score) + ")";
  const bool is_straight = axis > kStraightEvidence;
  const bool is_right = finger_evidence > kRightFingers;
  diagnosis.verdict = is_straight && is_right ? Verdict::kOk : Verdict::kUndecided;
  diagnosis.sentence = fits;
  if (diagnosis.verdict == Verdict::kOk) return;
  diagnosis.sentence +=
      std::string("; not to be seen: ") +
      (is_straight ? "" : "along which axis the gripper opens") +
      (is_straight || is_right ? "" : ", ") +
      (is_right ? "" : "whether gripper_open is inverted (the fingers move too little)");
}

// The numbers as they would be if the doubt were right: those of the views that it concerns.
void KeepDoubt(const std::vector<Hypothesis>& hypotheses, const Trial& trial,
               Diagnosis& diagnosis) {
  const Hypothesis& doubted = hypotheses[trial.hypothesis];
  diagnosis.doubt = Hypothesis{.verdict = doubted.verdict,
                               .words = doubted.words,
                               .numbers = hypotheses[0].numbers,
                               .lag_frames = doubted.lag_frames,
                               .views = trial.views};
  diagnosis.doubt->numbers.poses = doubted.numbers.poses;
  for (const size_t view : trial.views) {
    diagnosis.doubt->numbers.cameras[view] = doubted.numbers.cameras[view];
  }
}

// What the pictures leave open about cameras and times that fit. Says so, and what would decide.
bool ConcludeDoubt(const std::vector<Hypothesis>& hypotheses, const Judgement& judgement,
                   Diagnosis& diagnosis) {
  const auto is_left_open = [&](Verdict verdict, double contradicting_gain) {
    const std::optional<Trial> trial = judgement.Doubt(verdict, contradicting_gain);
    if (trial) KeepDoubt(hypotheses, *trial, diagnosis);
    return trial;
  };
  if (is_left_open(Verdict::kPrincipalPoint, kCentreContradicts)) {
    diagnosis.sentence =
        "a principal point is far from the middle of the picture, and the pictures do not show "
        "whether that is right; overlay.png has both";
    return true;
  }
  if (const std::optional<Trial> swap = is_left_open(Verdict::kSwappedViews, kSwapContradicts)) {
    diagnosis.views = swap->views;
    diagnosis.sentence = "the cameras of " +
                         NamesOf(diagnosis.corrected.cameras, swap->views, " and ") +
                         " would fit as well the other way round (agreement " +
                         ScoreText(swap->score) + ", as given " + ScoreText(diagnosis.given_score) +
                         "); a clip in which the tool comes nearer to one of them would tell, or "
                         "overlay.png: the tool must be drawn on the hand in both";
    return true;
  }
  if (is_left_open(Verdict::kTimeOffset, kSlightMargin)) {
    diagnosis.sentence =
        "the poses fit as well some frames earlier or later: the clip is too short, or moves too "
        "evenly, to tell";
    return true;
  }
  return false;
}

// Both orders put the hand in the same place, but not the fingers: who trusts one may be wrong.
void DoubtOrder(Diagnosis& diagnosis) {
  diagnosis.verdict = Verdict::kUndecided;
  diagnosis.usable = false;
  diagnosis.sentence +=
      "; but quaternions in the order w x y z would fit as well: this tool points the same way "
      "either way; a clip in which it is tilted, or turned about the vertical by 90 degrees, would "
      "tell";
}

double OpeningAxis(const Hypothesis& given, const MotionPlan& plan,
                   const std::vector<ViewMotion>& motion, const std::vector<bool>& seen) {
  std::vector<double> evidence;
  for (size_t view = 0; view < motion.size(); ++view) {
    evidence.push_back(OpeningAxisEvidence({given.numbers.cameras[view], given.numbers.poses}, plan,
                                           motion[view]));
  }
  return MeanScore(evidence, seen);
}

}  // namespace

double MeanScore(const std::vector<double>& view_scores, const std::vector<bool>& seen) {
  double sum = 0;
  int count = 0;
  for (size_t view = 0; view < view_scores.size(); ++view) {
    if (!seen[view] || std::isnan(view_scores[view])) continue;
    sum += view_scores[view];
    ++count;
  }
  return count > 0 ? sum / count : kNan;
}

Diagnosis Diagnose(const std::vector<Hypothesis>& hypotheses, const MotionPlan& plan,
                   const std::vector<ViewMotion>& motion, double finger_evidence) {
  AIM_CHECK(!hypotheses.empty());
  const ClipNumbers& given = hypotheses[0].numbers;
  const Judgement judgement(hypotheses, plan, motion);
  Diagnosis diagnosis{.sentence = {},
                      .scores = judgement.scores(),
                      .seen = judgement.seen(),
                      .views = {},
                      .corrected = given,
                      .doubt = std::nullopt,
                      .given_score = judgement.GivenScore(),
                      .finger_evidence = finger_evidence};
  diagnosis.best_score = diagnosis.given_score;
  if (plan.frames.empty()) {
    diagnosis.sentence = "the tool hardly moves, or there are too few frames: nothing can be told";
    return diagnosis;
  }
  if (const std::optional<Trial> fault = judgement.BestFault()) {
    ConcludeFault(hypotheses, *fault, diagnosis);
    return diagnosis;
  }
  if (!(diagnosis.given_score >= kFittingScore)) {
    diagnosis.sentence =
        "no reading of the numbers agrees with the motion in the pictures: the tool is not in "
        "them, hardly moves, or several things are wrong at once";
    return diagnosis;
  }
  diagnosis.opening_axis_evidence = OpeningAxis(hypotheses[0], plan, motion, diagnosis.seen);
  if (ConcludeStoredSigns(diagnosis) || ConcludeDeclaredSize(given, diagnosis)) return diagnosis;
  if (ConcludeDoubt(hypotheses, judgement, diagnosis)) return diagnosis;
  ConcludeTool(finger_evidence, diagnosis);
  if (!diagnosis.usable) return diagnosis;
  if (const auto order = judgement.Doubt(Verdict::kQuaternionOrder, kOrderContradicts)) {
    KeepDoubt(hypotheses, *order, diagnosis);
    DoubtOrder(diagnosis);
  }
  return diagnosis;
}

}  // namespace aim
