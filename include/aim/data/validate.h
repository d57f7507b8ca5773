// What is wrong in data sets: the work of aim-data validate.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/base/words.h"
#include "aim/data/data_options.h"

namespace aim {

struct ValidateOptions {
  std::vector<std::string> paths = {};
  std::string layout = "auto";
  std::string shard = {};

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("paths", self.paths, Any{}, InAnyLayout("data sets, tasks, or single episodes"));
    visit("layout", self.layout, LayoutChoices(), "auto: of each, found by the files there");
    visit("shard", self.shard, Any{},
          "i/n: read only episodes i, i + n, ... (i from 0), as one of n processes; copies and "
          "other shapes are found among these alone");
  }
  void Validate() const;  // throws ConfigError
};

enum class Severity { kError, kWarning };
constexpr auto WordsOf(Severity) {
  using enum Severity;
  return WordTable<Severity, 2>{{{kError, "error"}, {kWarning, "warning"}}};
}

enum class FindingKind {
  kUnreadable,        // a part is missing, broken, or contradicts another
  kDamagedPictures,   // a view cannot be decoded to its end
  kPoseCount,         // neither none, the first, nor one a frame
  kBadPose,           // not finite, no unit quaternion, openness outside [0, 1]
  kBadCamera,         // not finite, no positive focal length
  kJump,              // faster than any robot
  kBlindCameras,      // no camera sees the tool
  kDoubtfulCamera,    // one never does, or its intrinsics are those of another picture
  kUnevenTimes,       // frames that do not come at the rate
  kFrozenPictures,    // one picture for long, while the tool moves
  kRepeatedPictures,  // many frames that show what the one before shows, while the tool moves
  kNoPrompt,
  kCopy,          // of another episode
  kSamePictures,  // as another episode, but other poses or another prompt
  kSameName,      // as another episode
  kOtherShape     // than most: views, size, rate, or whether there are poses and cameras
};
constexpr auto WordsOf(FindingKind) {
  using enum FindingKind;
  return WordTable<FindingKind, 16>{{{kUnreadable, "unreadable"},
                                     {kDamagedPictures, "damaged_pictures"},
                                     {kPoseCount, "pose_count"},
                                     {kBadPose, "bad_pose"},
                                     {kBadCamera, "bad_camera"},
                                     {kJump, "jump"},
                                     {kBlindCameras, "blind_cameras"},
                                     {kDoubtfulCamera, "doubtful_camera"},
                                     {kUnevenTimes, "uneven_times"},
                                     {kFrozenPictures, "frozen_pictures"},
                                     {kRepeatedPictures, "repeated_pictures"},
                                     {kNoPrompt, "no_prompt"},
                                     {kCopy, "copy"},
                                     {kSamePictures, "same_pictures"},
                                     {kSameName, "same_name"},
                                     {kOtherShape, "other_shape"}}};
}

struct Finding {
  std::string data;  // path of the data set
  std::string episode;
  FindingKind kind = FindingKind::kUnreadable;
  Severity severity = Severity::kError;
  int frame = -1;       // that it is about; -1: the whole episode
  std::string problem;  // a sentence that names the numbers
};

struct ValidateReport {
  int64_t num_sets = 0;
  int64_t num_episodes = 0;
  int64_t num_frames = 0;
  std::vector<Finding> findings;  // in the order of sets and episodes

  int64_t NumOf(Severity severity) const;
};
// {"sets", "episodes", "frames", "errors", "warnings", "findings": [{"data", "episode", "kind",
// "severity", "frame", "problem"}]}; "frame" may be null.
nlohmann::json ToJson(const ValidateReport& report);

// "41 episodes, 1681 frames: 2 errors, 1 warning".
std::string Summary(const ValidateReport& report);

// Reads all of every episode of all sets, decodes every picture, and names what is wrong; one
// finding an episode and kind (and view, of pictures). Errors are what no tool should take;
// warnings may be meant. Episodes are read on several threads, memory does not grow with their
// length. Writes the report to the run's --out if it has one, each finding to the log.
ValidateReport RunValidate(const ValidateOptions& options, RunContext& run);

// Throws InputError that names the first error of the report, if there is one.
void RequireValid(const ValidateReport& report);

}  // namespace aim
