// The calibration doctor: whether cameras, poses and pictures of a clip belong together, and what
// is wrong if they do not. The work of aim-codec doctor.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/codec/camera_reading.h"
#include "aim/data/data_options.h"

namespace aim {

enum class Verdict {
  kOk,
  kInvertedExtrinsics,
  kFlippedAxes,
  kNegativeFocal,
  kPrincipalPoint,
  kOtherResolution,
  kSwappedViews,
  kTimeOffset,
  kQuaternionOrder,
  kInvertedGripper,
  kMillimetres,
  kToolFrame,
  kUndecided
};
constexpr auto WordsOf(Verdict) {
  using enum Verdict;
  return WordTable<Verdict, 13>{{{kOk, "ok"},
                                 {kInvertedExtrinsics, "inverted_extrinsics"},
                                 {kFlippedAxes, "flipped_axes"},
                                 {kNegativeFocal, "negative_focal"},
                                 {kPrincipalPoint, "principal_point"},
                                 {kOtherResolution, "other_resolution"},
                                 {kSwappedViews, "swapped_views"},
                                 {kTimeOffset, "time_offset"},
                                 {kQuaternionOrder, "quaternion_order"},
                                 {kInvertedGripper, "inverted_gripper"},
                                 {kMillimetres, "millimetres"},
                                 {kToolFrame, "tool_frame"},
                                 {kUndecided, "undecided"}}};
}

struct DoctorOptions {
  std::vector<std::string> video;
  std::string poses;
  std::string cameras;
  DataOptions data;
  std::string episode;
  bool fix = false;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit(
        "video", self.video, Any{},
        "video of one view, or a folder of 0.png, 1.png, ...; once a view, in the cameras' order");
    visit("poses", self.poses, Any{}, "poses.csv, one row a frame");
    visit("cameras", self.cameras, Any{},
          "cameras.json, aim-cameras-1; focal lengths may be negative here");
    DataOptions::ForEachField(self.data, visit,
                              "in place of these three: a data set or an episode");
    visit("episode", self.episode, Any{}, "its name in --data; none = the first");
    visit("fix", self.fix, Any{}, "also write the corrected cameras.json or poses.csv");
  }
  void Validate() const;  // throws ConfigError
};

// How far one way to understand the numbers agrees with the pictures. Agreement is that of the
// projected tool's motion with the optical flow: at most 1, about 0 by chance.
struct ReadingScore {
  Verdict verdict = Verdict::kOk;  // what it would mean
  std::string words;
  double score = 0;                 // mean over the views that show the tool; NaN if none does
  std::vector<double> view_scores;  // NaN where nothing can be said
};

struct DoctorReport {
  Verdict verdict = Verdict::kUndecided;
  bool usable = false;  // as the data are: nothing that can be seen contradicts them, and of what
                        // all else rests on (views, orders, times) nothing is left open
  std::string sentence;
  int num_frames = 0;
  std::vector<std::string> view_names;
  std::vector<bool> views_seen;  // which of them show the tool move
  std::vector<size_t> views;     // those concerned
  double given_score = 0;
  double best_score = 0;
  int lag_frames = 0;  // by so many the poses are late, negative if early; the best fit
  double period_s = 0;
  double opening_axis_evidence = 0;  // above 0: the hand is wide along y; NaN unknown
  double finger_evidence = 0;        // above 0: fingers move as gripper_open says; NaN unknown
  std::array<CameraReading, 16> readings = AllCameraReadings();
  std::vector<ReadingScore> hypotheses;  // as given, the other 15 readings, then the other faults
  std::vector<std::string> files;        // below the run's folder
};

// {"verdict", "usable", "sentence", "frames", "views": [{"name", "sees_tool", "concerned",
// "best_reading", "score"}], "given_score", "best_score", "lag_frames", "lag_s",
// "opening_axis_evidence", "finger_evidence", "readings": [{"inverted", "backward", "mirrored_x",
// "mirrored_y", "words", "score", "views": [scores]}], "hypotheses": [{"verdict", "words", "score",
// "views"}], "files"}; unknown numbers are null.
nlohmann::json ToJson(const DoctorReport& report);

// What a person reads first: {"verdict", "usable", "sentence", "files"}.
nlohmann::json ToBriefJson(const DoctorReport& report);

// Compares the clip's numbers with the motion in its pictures and writes into the run's folder
// doctor.json, overlay.png (the tool drawn as given, and as corrected or as it may be as well) and,
// with `fix`, what has to be corrected. A fault is a verdict, not an error; throws InputError for
// files that cannot be read or matched.
DoctorReport RunDoctor(const DoctorOptions& options, RunContext& run);

}  // namespace aim
