// From scores to a verdict.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "calibration/hypotheses.h"
#include "calibration/tool_motion.h"

namespace aim {

struct Diagnosis {
  Verdict verdict = Verdict::kUndecided;
  bool usable = false;
  std::string sentence;
  std::vector<std::vector<double>> scores;  // [hypothesis, view]; NaN where nothing can be said
  std::vector<bool> seen;                   // a view: some hypothesis agrees with its motion
  size_t best = 0;                          // the hypothesis that the verdict rests on
  std::vector<size_t> views;                // those concerned
  ClipNumbers corrected;                    // the numbers as they should be
  int lag_frames = 0;                       // of the corrected numbers
  std::optional<Hypothesis> doubt;          // what may be true as well, where that is left open
  double given_score = std::numeric_limits<double>::quiet_NaN();
  double best_score = std::numeric_limits<double>::quiet_NaN();
  double opening_axis_evidence = std::numeric_limits<double>::quiet_NaN();
  double finger_evidence = std::numeric_limits<double>::quiet_NaN();
};

// Mean over the views of `seen`; NaN if there is none.
double MeanScore(const std::vector<double>& view_scores, const std::vector<bool>& seen);

// `motion` holds one entry a view. `finger_evidence` is FingerEvidence of the numbers as given.
Diagnosis Diagnose(const std::vector<Hypothesis>& hypotheses, const MotionPlan& plan,
                   const std::vector<ViewMotion>& motion, double finger_evidence);

}  // namespace aim
