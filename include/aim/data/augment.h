// Clips varied for training: which of many views, other lights, cameras turned a little.
#pragma once

#include <vector>

#include "aim/base/options.h"
#include "aim/base/rng.h"
#include "aim/codec/clip.h"

namespace aim {

// Strengths; 0 throughout leaves clips as they are.
struct AugmentOptions {
  double turn_deg = 0;
  double roll_deg = 0;
  double zoom = 0;
  double brightness = 0;
  double contrast = 0;
  double saturation = 0;
  double hue_deg = 0;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit(
        "turn_deg", self.turn_deg, Range{0, 15},
        "each camera is turned up or down and to a side by up to this, about its own centre: "
        "picture and calibration stay exact; it zooms until the picture is filled, and turns less "
        "where that would take more than twice the focal length");
    visit("roll_deg", self.roll_deg, Range{0, 15}, "and about its optical axis by up to this");
    visit("zoom", self.zoom, Range{0, 1}, "and its focal lengths grow by up to this share");
    visit("brightness", self.brightness, Range{0, 0.9},
          "values of a view are scaled by 1 - this to 1 + this");
    visit("contrast", self.contrast, Range{0, 0.9}, "the same for their distance from middle grey");
    visit("saturation", self.saturation, Range{0, 1}, "the same for their distance from grey");
    visit("hue_deg", self.hue_deg, Range{0, 180}, "colours turn about the grey axis by up to this");
  }
  bool operator==(const AugmentOptions&) const = default;
};

// `count` different views of `num_views`, in random order; at most as many.
std::vector<int> DrawViews(int count, int num_views, Rng& rng);

// The clip with these of its views, in this order.
Clip TakeViews(const Clip& clip, const std::vector<int>& views);

// Varies every view by itself, all its frames alike, and its cameras so that they fit exactly.
// Poses and prompt stay. A view without calibration gets another light alone. Draws as many numbers
// whatever the strengths.
Clip Augment(Clip clip, const AugmentOptions& options, Rng& rng);

}  // namespace aim
