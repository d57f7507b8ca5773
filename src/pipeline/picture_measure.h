// What two clips show of the same moments: scores of their pictures, features of their videos.
#pragma once

#include <c10/core/Device.h>

#include <Eigen/Core>
#include <optional>
#include <set>
#include <vector>

#include "aim/codec/clip.h"
#include "aim/metrics/score.h"
#include "aim/pipeline/metric_options.h"

namespace aim {

// The networks that were asked for.
struct MetricNetworks {
  std::optional<Lpips> lpips;
  std::optional<I3d> i3d;
  c10::Device device = c10::Device(c10::kCPU);
};

// Throws InputError for weights that are missing or damaged.
MetricNetworks LoadMetricNetworks(const MetricOptions& options, c10::Device device);

// Of a whole recording, however it is read.
struct PictureExtent {
  int width = 0;
  int height = 0;
  int num_frames = 0;
};

// Borrows the networks.
class PictureMeasure {
 public:
  // What recordings of this extent are too small or too short for goes to `missing`.
  PictureMeasure(const MetricOptions& options, const MetricNetworks& networks,
                 const PictureExtent& extent, Missing& missing);

  // psnr_db, equal_pictures, ssim and lpips, those that were asked for, of the frames of two clips
  // from `first` on. Pictures that are equal have no decibels.
  void Score(const Clip& judged, const Clip& truth, int first, Scores& scores) const;

  // I3D's vectors of as many whole clips of FVD as fit, one after another, of every view; none if
  // it was not asked for.
  void AddFeatures(const Clip& clip, std::vector<Eigen::VectorXd>& features) const;

 private:
  bool FitsPictures(Metric metric, int side_px, int needed_px, Missing& missing) const;
  void ScorePixels(const Clip& judged, const Clip& truth, size_t view, int first,
                   Scores& scores) const;
  void ScoreFeatures(const Clip& judged, const Clip& truth, size_t view, int first,
                     Scores& scores) const;

  const MetricNetworks& networks_;
  bool with_psnr_ = false;
  bool with_ssim_ = false;
  bool with_lpips_ = false;
  bool with_fvd_ = false;
  int fvd_frames_ = 0;
};

}  // namespace aim
