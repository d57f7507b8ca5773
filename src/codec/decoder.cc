#include "aim/codec/decoder.h"

#include <Eigen/Cholesky>
#include <Eigen/LU>
#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "codec/disc_edge.h"
#include "codec/peaks.h"
#include "codec/pose_search.h"

namespace aim {
namespace {

// Radius of the fitted disc around a blob, in units of its width.
constexpr double kWindowSigmas = 3.0;
constexpr double kDiscFraction = 0.97;  // of B's disc, whose edge is no part of the Gaussian
// Standard deviation, in blob widths, of what the pixels around a blob do not tell: first the
// method's own error; then, if the blobs do not agree on a pose, that of pictures which are smooth
// but not consistent between views, as a model generates them.
constexpr std::array<double, 3> kFloorSigmas = {0.01, 0.1, 0.3};
// Predicted error of the anchors at which confidence is one half.
constexpr double kHalfConfidenceM = 0.010;
constexpr double kLargestErrorM = 0.10;  // predicted; beyond it the pose is not determined
constexpr double kLeastUsedFraction = 0.6;

// The planes R, G, B of one view.
template <class T>
using Picture = std::array<Plane<T>, 3>;

// Planes of frame `frame` of `num_frames` in [3, T, H, W].
Picture<float> PlanarPicture(std::span<const float> video, int num_frames, int frame,
                             const Camera& camera) {
  const size_t plane = static_cast<size_t>(camera.width) * static_cast<size_t>(camera.height);
  Picture<float> picture;
  for (size_t channel = 0; channel < 3; ++channel) {
    const size_t index = channel * static_cast<size_t>(num_frames) + static_cast<size_t>(frame);
    picture[channel] = {
        video.data() + index * plane, camera.width, 1, camera.width, camera.height, 1.0f};
  }
  return picture;
}

// Planes of frame `frame` in [T, H, W, 3] bytes.
Picture<uint8_t> InterleavedPicture(std::span<const uint8_t> video, int frame,
                                    const Camera& camera) {
  const size_t pixels = static_cast<size_t>(camera.width) * static_cast<size_t>(camera.height);
  Picture<uint8_t> picture;
  for (size_t channel = 0; channel < 3; ++channel) {
    picture[channel] = {video.data() + static_cast<size_t>(frame) * 3 * pixels + channel,
                        static_cast<ptrdiff_t>(3) * camera.width,
                        3,
                        camera.width,
                        camera.height,
                        1.0f / 255.0f};
  }
  return picture;
}

// Median of values around [0, 1], to a thousandth or, where one value dominates (a flat
// background), exactly: the mean of the histogram's middle bin.
class MedianHistogram {
 public:
  void Add(const SearchGrid& grid) {
    const float* cell = grid.cells.data();
    for (Eigen::Index i = 0; i < grid.cells.size(); ++i) {
      const float value = cell[i];
      if (!std::isfinite(value)) continue;
      const int bin = std::clamp(
          static_cast<int>((std::clamp(value, -1.0f, 2.0f) + 0.25f) * kBinsPerUnit), 0, kBins - 1);
      ++counts_[static_cast<size_t>(bin)];
      sums_[static_cast<size_t>(bin)] += static_cast<double>(value);
      ++total_;
    }
  }

  double Median() const {
    int64_t below = 0;
    for (size_t bin = 0; bin < kBins; ++bin) {
      below += counts_[bin];
      if (2 * below >= total_ && counts_[bin] > 0)
        return sums_[bin] / static_cast<double>(counts_[bin]);
    }
    return 0;
  }

 private:
  static constexpr int kBinsPerUnit = 1000;
  static constexpr int kBins = 1500;  // -0.25 to 1.25
  std::array<int32_t, kBins> counts_{};
  std::array<double, kBins> sums_{};
  int64_t total_ = 0;
};

double Median(const SearchGrid& grid) {
  MedianHistogram histogram;
  histogram.Add(grid);
  return histogram.Median();
}

// What the pictures of one frame show, before any geometry.
struct FrameBlobs {
  std::vector<ViewPeaks> views;
  double gripper_open = 0;
};

template <class T>
FrameBlobs FindBlobs(std::span<const Picture<T>> pictures, std::span<const Camera> cameras,
                     const DecoderOptions& options) {
  FrameBlobs blobs;
  MedianHistogram pedestal;
  const double disc_sigmas = kDiscFraction * std::sqrt(-2.0 * std::log(options.spec.pedestal));
  for (size_t view = 0; view < pictures.size(); ++view) {
    PeakOptions peak_options;
    peak_options.sigma_px = SigmaPx(options.spec, cameras[view].width, cameras[view].height);
    ViewPeaks peaks;
    for (size_t channel = 0; channel < 3; ++channel) {
      const SearchGrid grid = MakeSearchGrid(pictures[view][channel], peak_options.sigma_px);
      const bool is_pedestal = channel == 2;
      if (is_pedestal) pedestal.Add(grid);
      peak_options.background = Median(grid);
      // Inside its disc B holds the Gaussian itself, not the Gaussian on the pedestal.
      peak_options.offset = is_pedestal ? 0.0 : peak_options.background;
      peak_options.window_sigmas = is_pedestal ? disc_sigmas : kWindowSigmas;
      peaks.candidates[channel] = FindPeaks(pictures[view][channel], grid, peak_options);
      if (!is_pedestal) continue;
      const DiscEdge edge{peak_options.sigma_px, options.spec.pedestal, peak_options.background};
      for (Peak& peak : peaks.candidates[channel]) {
        RefineOnDiscEdge(pictures[view][channel], edge, peak);
      }
    }
    blobs.views.push_back(std::move(peaks));
  }
  blobs.gripper_open = std::clamp(pedestal.Median() / options.spec.pedestal, 0.0, 1.0);
  return blobs;
}

FitProblem MakeProblem(FrameBlobs& blobs, std::span<const Camera> cameras,
                       const ActionImageSpec& spec) {
  FitProblem problem;
  problem.anchors_in_tool = AnchorPoints(ToolPose{}, spec);
  problem.views = std::move(blobs.views);
  for (const Camera& camera : cameras) problem.cameras.emplace_back(camera);
  return problem;
}

void SetFloor(FitProblem& problem, std::span<const Camera> cameras, const ActionImageSpec& spec,
              double floor_sigmas) {
  problem.variance_floor.clear();
  for (const Camera& camera : cameras) {
    const double floor_px = floor_sigmas * SigmaPx(spec, camera.width, camera.height);
    const double variance = floor_px * floor_px;
    problem.variance_floor.push_back({variance, variance, variance});
  }
}

// The pose under the smallest floor that lets all expected blobs agree, or under the one with which
// most do. Leaves that floor in `problem`.
std::optional<RigidFit> FitWithFloors(FitProblem& problem, std::span<const Camera> cameras,
                                      const ActionImageSpec& spec) {
  std::optional<RigidFit> best;
  double best_floor = kFloorSigmas.front();
  for (const double floor_sigmas : kFloorSigmas) {
    SetFloor(problem, cameras, spec, floor_sigmas);
    const std::optional<RigidFit> fit = SearchPose(problem);
    if (fit && (!best || fit->num_used > best->num_used)) {
      best = fit;
      best_floor = floor_sigmas;
    }
    if (best && best->num_used == best->num_expected) break;
  }
  SetFloor(problem, cameras, spec, best_floor);
  return best;
}

// Root mean square error of the three anchors that the blobs' noise and disagreement predict,
// metres.
double PredictedErrorM(const FitProblem& problem, const RigidFit& fit) {
  double noise_share = 0;
  for (size_t view = 0; view < problem.views.size(); ++view) {
    for (size_t anchor = 0; anchor < 3; ++anchor) {
      if (fit.used[view][anchor] < 0) continue;
      const Peak& peak =
          problem.views[view].candidates[anchor][static_cast<size_t>(fit.used[view][anchor])];
      const double variance = 0.5 * peak.information.inverse().trace();
      noise_share += variance / (variance + problem.variance_floor[view][anchor]);
    }
  }
  noise_share /= fit.num_used;
  const double freedom = std::max(0.0, 2.0 * fit.num_used - 6.0);
  const double scale = (fit.chi_squared + 4.0 * noise_share) / (freedom + 4.0);
  const Eigen::LDLT<Eigen::Matrix<double, 6, 6>> factor(fit.information);
  if (factor.info() != Eigen::Success || !factor.isPositive()) return 1e3;
  const Eigen::Matrix<double, 6, 6> covariance =
      factor.solve(Eigen::Matrix<double, 6, 6>::Identity());
  const Eigen::Matrix3d rotation = fit.world_from_tool.rotation.toRotationMatrix();
  double variance_m2 = 0;
  for (const Eigen::Vector3d& q : problem.anchors_in_tool) {
    Eigen::Matrix3d cross;
    cross << 0, -q.z(), q.y(), q.z(), 0, -q.x(), -q.y(), q.x(), 0;
    Eigen::Matrix<double, 3, 6> d_point;
    d_point << Eigen::Matrix3d::Identity(), -rotation * cross;
    variance_m2 += (d_point * covariance * d_point.transpose()).trace() / 3.0;
  }
  const double error_m = std::sqrt(scale * variance_m2);
  return std::isfinite(error_m) ? error_m : 1e3;
}

// Whether a used or found blob's centre lies in the picture.
std::vector<uint8_t> FoundBlobs(const FitProblem& problem) {
  std::vector<uint8_t> visible;
  for (size_t view = 0; view < problem.views.size(); ++view) {
    for (const std::vector<Peak>& candidates : problem.views[view].candidates) {
      visible.push_back(
          !candidates.empty() && problem.cameras[view].Contains(candidates.front().uv) ? 1 : 0);
    }
  }
  return visible;
}

// Fills in what the fit says of each blob: visibility and residual.
void DescribeBlobs(const FitProblem& problem, const RigidFit& fit, DecodedPose& decoded) {
  double squares = 0;
  for (size_t view = 0; view < problem.views.size(); ++view) {
    for (size_t anchor = 0; anchor < 3; ++anchor) {
      uint8_t& visible = decoded.visible[3 * view + anchor];
      visible = 0;
      Eigen::Vector2d uv;
      const int used = fit.used[view][anchor];
      if (used < 0) continue;
      if (!problem.cameras[view].Project(fit.world_from_tool * problem.anchors_in_tool[anchor], uv,
                                         nullptr))
        continue;
      squares +=
          (uv - problem.views[view].candidates[anchor][static_cast<size_t>(used)].uv).squaredNorm();
      visible = problem.cameras[view].Contains(uv) ? 1 : 0;
    }
  }
  decoded.residual_px = std::sqrt(squares / std::max(1, fit.num_used));
}

template <class T>
DecodedPose DecodePictures(std::span<const Picture<T>> pictures, std::span<const Camera> cameras,
                           const DecoderOptions& options) {
  FrameBlobs blobs = FindBlobs(pictures, cameras, options);
  DecodedPose decoded;
  decoded.pose.gripper_open = blobs.gripper_open;
  FitProblem problem = MakeProblem(blobs, cameras, options.spec);
  decoded.visible = FoundBlobs(problem);
  if (cameras.size() < 2) return decoded;
  const std::optional<RigidFit> fit = FitWithFloors(problem, cameras, options.spec);
  if (!fit) return decoded;
  const double used_fraction = static_cast<double>(fit->num_used) / std::max(1, fit->num_expected);
  const double error_m = PredictedErrorM(problem, *fit);
  if (used_fraction < kLeastUsedFraction || error_m > kLargestErrorM) return decoded;
  decoded.decodable = true;
  decoded.pose.world_from_tool = {CanonicalSign(fit->world_from_tool.rotation),
                                  fit->world_from_tool.translation};
  decoded.confidence = used_fraction / (1.0 + error_m / kHalfConfidenceM);
  DescribeBlobs(problem, *fit, decoded);
  return decoded;
}

void CheckSizes(size_t num_pictures, size_t num_cameras, const DecoderOptions& options) {
  if (num_pictures != num_cameras || num_pictures == 0) {
    throw InputError({"action images",
                      "of " + CountText(static_cast<int64_t>(num_pictures), "view"),
                      std::to_string(num_cameras) + ", one for each camera", ""});
  }
  if (!(options.spec.pedestal > 0 && options.spec.pedestal < 1)) {
    throw InputError({"pedestal", std::to_string(options.spec.pedestal), "a level between 0 and 1",
                      "the background of B carries the gripper's openness"});
  }
}

void CheckPixels(size_t view, size_t got, size_t num_frames, const Camera& camera) {
  const size_t expected =
      3 * num_frames * static_cast<size_t>(camera.width) * static_cast<size_t>(camera.height);
  if (got == expected) return;
  throw InputError({"action image of view " + std::to_string(view),
                    "of " + std::to_string(got) + " values",
                    "3 x " + std::to_string(num_frames) + " x " + std::to_string(camera.height) +
                        " x " + std::to_string(camera.width) + " as its camera says",
                    "resize the pictures or rescale the camera"});
}

std::vector<Camera> CamerasAt(std::span<const CameraTrack> tracks, size_t frame) {
  std::vector<Camera> cameras;
  for (const CameraTrack& track : tracks) cameras.push_back(track.at(frame));
  return cameras;
}

// Decodes all frames; `make_picture(view, frame, camera)` gives the planes.
template <class T, class MakePicture>
std::vector<DecodedPose> DecodeFrames(size_t num_views, int num_frames,
                                      std::span<const CameraTrack> tracks,
                                      const DecoderOptions& options,
                                      const MakePicture& make_picture) {
  std::vector<DecodedPose> frames;
  for (int frame = 0; frame < num_frames; ++frame) {
    const std::vector<Camera> cameras = CamerasAt(tracks, static_cast<size_t>(frame));
    std::vector<Picture<T>> pictures;
    for (size_t view = 0; view < num_views; ++view)
      pictures.push_back(make_picture(view, frame, cameras[view]));
    frames.push_back(DecodePictures<T>(pictures, cameras, options));
  }
  if (options.temporal_prior) FillFromNeighbours(frames, options.min_confidence);
  return frames;
}

}  // namespace

void FillFromNeighbours(std::vector<DecodedPose>& frames, double min_confidence) {
  const auto is_confident = [&](const DecodedPose& frame) {
    return frame.decodable && frame.confidence >= min_confidence;
  };
  const size_t none = frames.size();
  size_t before = none;
  for (size_t i = 0; i < frames.size(); ++i) {
    if (is_confident(frames[i])) {
      before = i;
      continue;
    }
    size_t after = i;
    while (after < frames.size() && !is_confident(frames[after])) ++after;
    if (before == none && after == none) return;
    const size_t left = before == none ? after : before, right = after == none ? before : after;
    for (; i < after; ++i) {
      const double fraction =
          left == right ? 0.0 : static_cast<double>(i - left) / static_cast<double>(right - left);
      const Rigid3d blend = Interpolate(frames[left].pose.world_from_tool,
                                        frames[right].pose.world_from_tool, fraction);
      frames[i].pose.world_from_tool = {CanonicalSign(blend.rotation), blend.translation};
      frames[i].from_prior = true;
    }
    --i;
  }
}

DecodedPose DecodeFrame(std::span<const std::span<const float>> images,
                        std::span<const Camera> cameras, const DecoderOptions& options) {
  CheckSizes(images.size(), cameras.size(), options);
  std::vector<Picture<float>> pictures;
  for (size_t view = 0; view < images.size(); ++view) {
    CheckPixels(view, images[view].size(), 1, cameras[view]);
    pictures.push_back(PlanarPicture(images[view], 1, 0, cameras[view]));
  }
  return DecodePictures<float>(pictures, cameras, options);
}

DecodedPose DecodeFrame(std::span<const std::span<const uint8_t>> images,
                        std::span<const Camera> cameras, const DecoderOptions& options) {
  CheckSizes(images.size(), cameras.size(), options);
  std::vector<Picture<uint8_t>> pictures;
  for (size_t view = 0; view < images.size(); ++view) {
    CheckPixels(view, images[view].size(), 1, cameras[view]);
    pictures.push_back(InterleavedPicture(images[view], 0, cameras[view]));
  }
  return DecodePictures<uint8_t>(pictures, cameras, options);
}

std::vector<DecodedPose> DecodeVideo(std::span<const std::span<const float>> videos, int num_frames,
                                     std::span<const CameraTrack> cameras,
                                     const DecoderOptions& options) {
  CheckSizes(videos.size(), cameras.size(), options);
  for (size_t view = 0; view < videos.size(); ++view) {
    CheckPixels(view, videos[view].size(), static_cast<size_t>(num_frames), cameras[view].at(0));
  }
  return DecodeFrames<float>(videos.size(), num_frames, cameras, options,
                             [&](size_t view, int frame, const Camera& camera) {
                               return PlanarPicture(videos[view], num_frames, frame, camera);
                             });
}

std::vector<DecodedPose> DecodeVideo(std::span<const std::span<const uint8_t>> videos,
                                     int num_frames, std::span<const CameraTrack> cameras,
                                     const DecoderOptions& options) {
  CheckSizes(videos.size(), cameras.size(), options);
  for (size_t view = 0; view < videos.size(); ++view) {
    CheckPixels(view, videos[view].size(), static_cast<size_t>(num_frames), cameras[view].at(0));
  }
  return DecodeFrames<uint8_t>(videos.size(), num_frames, cameras, options,
                               [&](size_t view, int frame, const Camera& camera) {
                                 return InterleavedPicture(videos[view], frame, camera);
                               });
}

}  // namespace aim
