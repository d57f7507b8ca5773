#include "aim/codec/rig_check.h"

#include <algorithm>
#include <cmath>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/codec/action_image.h"
#include "aim/codec/camera_reading.h"

namespace aim {
namespace {

constexpr double kFitScore = 0.5;           // that a hypothesis must exceed
constexpr double kScoreMargin = 0.1;        // within which two fit alike
constexpr double kOffCentreFraction = 0.2;  // of the picture: a principal point nobody would expect
constexpr double kLeastSize = 0.001;        // of the picture's side: nothing that small is a tool

bool Sees(const Camera& camera, const ToolPose& pose) {
  const auto anchors = AnchorPoints(pose);
  return std::any_of(anchors.begin(), anchors.end(), [&](const Eigen::Vector3d& anchor) {
    const auto projected = Project(camera, anchor);
    return projected && projected->uv.x() >= 0 && projected->uv.x() <= camera.width &&
           projected->uv.y() >= 0 && projected->uv.y() <= camera.height;
  });
}

double SeenShare(const CameraTrack& track, std::span<const ToolPose> poses) {
  int seen = 0;
  for (size_t frame = 0; frame < poses.size(); ++frame) {
    seen += Sees(track.at(frame), poses[frame]) ? 1 : 0;
  }
  return static_cast<double>(seen) / static_cast<double>(poses.size());
}

// Whether some frame shows the tool's anchors further apart than kLeastSize.
bool ShowsSize(const CameraTrack& track, std::span<const ToolPose> poses) {
  for (size_t frame = 0; frame < poses.size(); ++frame) {
    const Camera& camera = track.at(frame);
    const auto anchors = AnchorPoints(poses[frame]);
    const auto tip = Project(camera, anchors[0]);
    for (size_t i = 1; tip && i < anchors.size(); ++i) {
      const auto other = Project(camera, anchors[i]);
      const int side_px = std::min(camera.width, camera.height);
      if (other && (other->uv - tip->uv).norm() >= kLeastSize * side_px) return true;
    }
  }
  return false;
}

bool IsFarTooSmall(std::span<const CameraTrack> cameras, std::span<const ToolPose> poses) {
  return std::none_of(cameras.begin(), cameras.end(),
                      [&](const CameraTrack& track) { return ShowsSize(track, poses); });
}

// Further from the origin than any robot reaches, in every frame.
bool AreFarOut(std::span<const ToolPose> poses) {
  constexpr double kFarM = 20;
  return std::all_of(poses.begin(), poses.end(), [](const ToolPose& pose) {
    return pose.world_from_tool.translation.norm() > kFarM;
  });
}

// One of the usual mistakes about a whole rig.
struct Reading {
  std::string words;
  std::function<Camera(const Camera&)> read;
};

std::vector<Reading> UsualReadings() {
  std::vector<Reading> readings;
  for (const CameraReading& reading :
       {CameraReading{.inverted = true}, CameraReading{.backward = true},
        CameraReading{.mirrored_x = true, .mirrored_y = true},
        CameraReading{.inverted = true, .backward = true},
        CameraReading{.inverted = true, .mirrored_x = true, .mirrored_y = true}}) {
    readings.push_back(
        {ToWords(reading), [reading](const Camera& c) { return ReadAs(reading, c); }});
  }
  readings.push_back({"world_from_camera in millimetres", InMetres});
  readings.push_back({"intrinsics of another resolution", [](const Camera& camera) {
                        return FromResolution(camera, ResolutionRatio(camera));
                      }});
  return readings;
}

struct Candidate {
  std::string words;
  std::vector<CameraTrack> cameras;
};

std::vector<Candidate> Candidates(std::span<const CameraTrack> cameras) {
  std::vector<Candidate> candidates;
  for (const Reading& reading : UsualReadings()) {
    candidates.push_back(
        {reading.words, ChangeAll({cameras.begin(), cameras.end()}, reading.read)});
  }
  return candidates;
}

// The candidates whose score is above kFitScore and near the best one's.
std::string Fitting(const std::vector<Candidate>& candidates,
                    const std::function<double(std::span<const CameraTrack>)>& score) {
  std::vector<double> scores;
  scores.reserve(candidates.size());
  for (const Candidate& candidate : candidates) scores.push_back(score(candidate.cameras));
  const double best = *std::max_element(scores.begin(), scores.end());
  std::vector<std::string> words;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (scores[i] > kFitScore && scores[i] >= best - kScoreMargin) {
      words.push_back(candidates[i].words);
    }
  }
  return Join(words, ", or like ");
}

bool IsOffCentre(const Camera& camera) {
  const double x = camera.cx / camera.width - 0.5;
  const double y = camera.cy / camera.height - 0.5;
  return std::min(std::abs(x), std::abs(y)) > kOffCentreFraction && x * y > 0;
}

std::string Advice(const std::string& hypothesis) {
  return hypothesis.empty() ? "check world_from_camera and the intrinsics"
                            : "the data reads like " + hypothesis;
}

}  // namespace

RigSight LookAtTool(std::span<const CameraTrack> cameras, std::span<const ToolPose> poses) {
  AIM_CHECK(!cameras.empty() && !poses.empty());
  RigSight sight;
  std::vector<CameraTrack> blind;
  for (const CameraTrack& track : cameras) {
    sight.seen.push_back(SeenShare(track, poses));
    if (sight.seen.back() == 0) blind.push_back(track);
  }
  if (blind.empty()) return sight;
  const auto least_share = [](std::span<const CameraTrack> views, std::span<const ToolPose> seen) {
    double share = 1;
    for (const CameraTrack& track : views) share = std::min(share, SeenShare(track, seen));
    return share;
  };
  sight.hypothesis = Fitting(Candidates(blind), [&](std::span<const CameraTrack> views) {
    return least_share(views, poses);
  });
  if (AreFarOut(poses) &&
      least_share(blind, PosesInMetres({poses.begin(), poses.end()})) > kFitScore) {
    sight.hypothesis = "poses in millimetres";
  }
  return sight;
}

std::vector<std::string> CheckRig(std::span<const CameraTrack> cameras,
                                  std::span<const ToolPose> poses, const std::string& where) {
  const RigSight sight = LookAtTool(cameras, poses);
  if (std::all_of(sight.seen.begin(), sight.seen.end(), [](double seen) { return seen == 0; })) {
    throw InputError({where, "cameras of which none sees the tool in any frame",
                      "poses that project into the pictures", Advice(sight.hypothesis)});
  }
  if (IsFarTooSmall(cameras, poses)) {
    const bool fits = !IsFarTooSmall(ChangeAll({cameras.begin(), cameras.end()}, InMetres), poses);
    throw InputError({where,
                      "cameras from which the tool is smaller than a thousandth of a picture",
                      "cameras a few metres from the tool",
                      Advice(fits ? "world_from_camera in millimetres" : "")});
  }
  std::vector<std::string> sentences;
  for (size_t view = 0; view < cameras.size(); ++view) {
    const Camera& camera = cameras[view].at(0);
    const std::string name = where + ": " + NameOfView(cameras[view], view);
    if (sight.seen[view] == 0) {
      sentences.push_back(name + " never shows the tool; " + Advice(sight.hypothesis));
    } else if (IsOffCentre(camera)) {
      sentences.push_back(name + " has its principal point at (" + ToText(camera.cx) + ", " +
                          ToText(camera.cy) + "), far from the middle of " +
                          std::to_string(camera.width) + " x " + std::to_string(camera.height) +
                          ": intrinsics of another resolution?");
    }
  }
  return sentences;
}

void WarnOfRig(std::span<const CameraTrack> cameras, std::span<const ToolPose> poses,
               const std::string& where) {
  for (const std::string& sentence : CheckRig(cameras, poses, where)) LogWarning(sentence);
}

bool ViewsContradict(const DecodedPose& frame, double min_confidence) {
  if (frame.decodable && frame.confidence >= min_confidence) return false;
  int num_views = 0;
  for (size_t view = 0; 3 * view + 2 < frame.visible.size(); ++view) {
    const auto begin = frame.visible.begin() + static_cast<std::ptrdiff_t>(3 * view);
    num_views += std::count(begin, begin + 3, 1) >= 2 ? 1 : 0;
  }
  return num_views >= 2;
}

std::string ExplainRig(std::span<const CameraTrack> cameras,
                       const std::function<double(std::span<const CameraTrack>)>& score) {
  std::vector<Candidate> candidates = Candidates(cameras);
  for (size_t a = 0; a < cameras.size(); ++a) {
    for (size_t b = a + 1; b < cameras.size(); ++b) {
      Candidate swapped{"cameras of which " + NameOfView(cameras[a], a) + " and " +
                            NameOfView(cameras[b], b) + " are swapped",
                        {cameras.begin(), cameras.end()}};
      std::swap(swapped.cameras[a], swapped.cameras[b]);
      candidates.push_back(std::move(swapped));
    }
  }
  return Fitting(candidates, score);
}

}  // namespace aim
