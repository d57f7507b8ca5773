// What episodes must have in common to be trained on together as they are.
#pragma once

#include <string>
#include <vector>

#include "aim/data/episode_edit.h"

namespace aim {

struct SetShape {
  std::vector<std::string> views;
  int width = 0;   // pixels
  int height = 0;  // pixels
  double fps = 0;
  bool has_cameras = false;  // every view
  bool has_confidence = false;
};

// Of the episode as `edit` will have it. Throws InputError for a view that it has not.
SetShape ShapeOf(OpenEpisode& episode, const EpisodeEdit& edit = {});

// "2 calibrated views (front, wrist) of 64x64 pixels at 20 frames a second, with confidence".
std::string ToWords(const SetShape& shape);

// Whether they can lie in one data set: one size, rate and number of views, and of two lists of
// views that have names in common one order of all of them.
bool FitTogether(const SetShape& a, const SetShape& b);

// Whether they can share files: views of the same names, the very same rate, and calibration and
// confidence in both or in neither.
bool CanShareFiles(const SetShape& a, const SetShape& b);

}  // namespace aim
