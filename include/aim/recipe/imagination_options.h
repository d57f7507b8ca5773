// A model as the world that a policy acts in: which one, and where its trials begin.
#pragma once

#include <string>
#include <vector>

#include "aim/base/options.h"

namespace aim {

struct ImaginationOptions {
  std::string env_model = {};
  int env_steps = 0;
  std::string scene_data = {};
  std::string scene_layout = "auto";
  std::vector<std::string> scene_views = {};
  bool label_imagined = true;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("scene_data", self.scene_data, Any{},
          "with --env model: data set, in any layout, whose episodes' first frames are the scenes");
    visit("scene_layout", self.scene_layout, Any{}, "of that data; auto: found by the files there");
    visit("scene_views", self.scene_views, Any{},
          "names of its views to take, in this order, also with commas; none: all of them");
    visit("env_model", self.env_model, Any{},
          "with --env model: bundle that imagines (mode a2v); none = --model");
    visit("env_steps", self.env_steps, Range{0, 1000},
          "its denoising steps; 0 = the bundle's default, whatever --steps is");
    visit("label_imagined", self.label_imagined, Any{},
          "ask its mode v2a which poses the imagined pictures show; as slow as imagining them");
  }
};

}  // namespace aim
