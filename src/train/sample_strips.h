// Pictures of what a model makes of clips it has not seen, beside what was recorded.
#pragma once

#include <string>
#include <vector>

#include "aim/diffusion/generate.h"

namespace aim {

// Moments of one view from start to end, side by side.
struct SampleRow {
  std::string label;
  std::string png;  // bytes of a file
  int width_px = 0;
};

// One clip in one mode.
struct SampleStrip {
  std::string prompt;
  std::string result;  // in mm and degrees; empty if no actions were made
  std::vector<SampleRow> rows;
};

// Runs `mode` on the clips (all poses and frames known) and draws their first view: of a generated
// video its pictures under the recorded ones; of generated actions their action images over the
// recorded video, under the recorded ones. Pictures with a side above 128 pixels are made smaller.
std::vector<SampleStrip> MakeSampleStrips(const GeneratorModel& model, const Mode& mode,
                                          const std::vector<Clip>& clips,
                                          const GenerateOptions& options, const Rng& rng);

}  // namespace aim
