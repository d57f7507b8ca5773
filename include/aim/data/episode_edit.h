// What is made of an episode when it is copied or trained on: which views, how large, how fast.
#pragma once

#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/data/open_episode.h"

namespace aim {

class DataSet;

struct EpisodeEdit {
  std::vector<std::string> views = {};
  int width = 0;
  int height = 0;
  double fps = 0;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("views", self.views, Any{},
          "names of the views to take, in this order, also with commas; none: all of them");
    visit("width", self.width, Range{0, 8192},
          "of the pictures, pixels: the middle is cut to the new aspect and resized, the cameras "
          "follow; 0 = as recorded");
    visit("height", self.height, Range{0, 8192}, "see width; 0 = as recorded");
    visit("fps", self.fps, Range{0, 1000},
          "frames a second: for each moment the nearest frame and its pose; 0 = as recorded");
  }
};

// Frames whose times are nearest to 0, 1 / fps, 2 / fps, ... after the first, up to the last. Times
// rise. Empty if frames would have to be repeated, `fps` being more than theirs.
std::vector<int> SampleFrames(const std::vector<double>& times_s, double fps);

// Those of an episode that `edit` takes. Throws UnfitError for a rate above its own.
std::vector<int> FramesTaken(const OpenEpisode& episode, const EpisodeEdit& edit);

// What a user typed to ask for an edit.
struct EditFlags {
  std::string views = "--views";
  std::string fps = "--fps";
};

// Throws ConfigError, before a run begins, where no episode that can be opened has the views or the
// rate that `edit` asks for; `flags` named them.
void RequireFitting(const DataSet& data, const EpisodeEdit& edit, const EditFlags& flags = {});

// An episode, as `edit` wants it; poses are those of the frames taken; of the frames that come out,
// those of `range`. Throws UnfitError for a view that it has not and a rate above its own,
// InputError for pictures beyond 8 GiB, and what OpenEpisode::Read throws.
Episode ReadEdited(OpenEpisode& episode, const EpisodeEdit& edit, const FrameRange& range = {});

// The poses of all of that, without its pictures.
std::vector<ToolPose> EditedPoses(const OpenEpisode& episode, const EpisodeEdit& edit);

}  // namespace aim
