// Pictures of what a model makes of clips it has not seen, beside what was recorded.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "aim/diffusion/generate.h"
#include "aim/media/image.h"

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
  std::vector<Image> frames = {};  // all of it: what was recorded beside what the model makes
  double fps = 0;
  std::string video = {};  // where they were written, in the run's folder
};

// Runs `mode` on the clips (all poses and frames known) and draws their first view: of a generated
// video its pictures under the recorded ones; of generated actions their action images over the
// recorded video, under the recorded ones. Pictures with a side above 128 pixels are made smaller,
// those of `frames` too.
std::vector<SampleStrip> MakeSampleStrips(const GeneratorModel& model, const Mode& mode,
                                          const std::vector<Clip>& clips,
                                          const GenerateOptions& options, const Rng& rng);

// Writes the frames of each as samples/<mode>_<number>.mp4 in `out`, says so in `video` and lets
// the frames go. A core build, which has no video encoder, writes none.
void WriteSampleVideos(const std::string& mode, const std::filesystem::path& out,
                       std::vector<SampleStrip>& strips);

}  // namespace aim
