// Synthetic episodes: noise pictures, cameras around a table, random poses.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "aim/data/episode.h"
#include "support/scene.h"

namespace aim::testing {

struct EpisodeOptions {
  int num_frames = 9;
  int num_views = 2;
  int size_px = 16;
  bool moving_camera = false;  // in view 1
};

inline Episode MakeEpisode(const EpisodeOptions& options, Rng& rng) {
  Episode episode;
  episode.task = "reach_target";
  episode.variation = 3;
  episode.seed = 77;
  Clip& clip = episode.clip;
  clip.width = clip.height = options.size_px;
  clip.fps = 25.0 / 3.0;
  clip.prompt = "reach the \"red\" target";
  const CameraRigOptions rig{.num_views = options.num_views, .size_px = options.size_px};
  const std::vector<Camera> first = MakeCameraRig(rig, rng);
  for (int i = 0; i < options.num_views; ++i) {
    ClipView view;
    view.camera = {.name = "view" + std::to_string(i), .frames = {first[static_cast<size_t>(i)]}};
    for (int frame = 1; options.moving_camera && i == 1 && frame < options.num_frames; ++frame) {
      view.camera.frames.push_back(MakeCameraRig(rig, rng)[1]);
    }
    view.num_frames = options.num_frames;
    view.rgb.resize(
        static_cast<size_t>(options.num_frames * options.size_px * options.size_px * 3));
    for (uint8_t& value : view.rgb) value = static_cast<uint8_t>(rng.UniformInt(256));
    clip.views.push_back(std::move(view));
  }
  for (int frame = 0; frame < options.num_frames; ++frame) {
    clip.poses.push_back(RandomToolPose(rng));
    episode.measured.push_back(RandomToolPose(rng));
  }
  return episode;
}

}  // namespace aim::testing
