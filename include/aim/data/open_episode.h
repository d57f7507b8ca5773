// An episode whose pictures are read a part at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "aim/data/episode.h"

namespace aim {

class ViewVideos;

// Throws UnfitError naming `where` and the view unless every view has its camera: drawing, fitting
// and training need it, looking at pictures does not.
void RequireCameras(const Clip& clip, const std::string& where);

// Whether every view has its camera.
bool IsCalibrated(const Clip& clip);

// Whether cameras and recorded poses can be held against each other: every view is calibrated, and
// there are poses of more than the first frame (the tool may come into view later), not labels
// (which may be wrong where the cameras are right).
bool TellsOfCameras(const Episode& episode);

// An episode that was opened: all of it but its pictures is known. Memory does not grow with its
// length beyond that. What is read in order is decoded once. Not thread-safe; threads open their
// own.
class OpenEpisode {
 public:
  // `facts` is the whole episode with views but without pictures, of which `num_frames` belong to
  // it; `where` is what messages call it.
  OpenEpisode(Episode facts, std::unique_ptr<ViewVideos> videos, int num_frames, std::string where);
  ~OpenEpisode();
  OpenEpisode(const OpenEpisode&) = delete;
  OpenEpisode& operator=(const OpenEpisode&) = delete;

  // Its `times_s` has one a frame.
  const Episode& facts() const { return facts_; }
  int num_frames() const { return num_frames_; }
  EpisodeShape shape() const;
  const std::string& where() const { return where_; }  // what messages call it

  // Its views are those named (base/name_list.h), in this order. Throws UnfitError (data/skipped.h)
  // for a name that it has not, ConfigError for one that is there twice. Before the first picture
  // is read.
  void KeepViews(const std::vector<std::string>& names);

  // Other poses, one a frame, in place of those recorded, with their confidence.
  void SetPoses(std::vector<ToolPose> poses, std::vector<double> confidence);

  // The frames of `range` at full size, as EpisodeSource::Read (data/layout.h); a view without
  // calibration has no camera. Throws InputError for more than 8 GiB of pixels.
  Episode Read(const FrameRange& range);

  // Frames begin, begin + stride, ... of `range` as FitClip makes them, at this size; without
  // poses. A view without calibration has no camera.
  Clip ReadFitted(const FrameRange& range, int stride, int width, int height);

  // Calls visit(frame, pixels [height, width, 3]) for every picture of a view and keeps none; the
  // pixels last for the call. Throws FormatError where a picture is damaged.
  using VisitPicture = std::function<void(int frame, std::span<const uint8_t> rgb)>;
  void VisitPictures(size_t view, const VisitPicture& visit);

  // Decodes every picture and keeps none. Throws FormatError where one is damaged.
  void CheckPictures();

 private:
  Episode facts_;
  std::unique_ptr<ViewVideos> videos_;
  int num_frames_;
  std::string where_;
};

}  // namespace aim
