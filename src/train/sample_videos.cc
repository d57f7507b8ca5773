#include "aim/media/preview.h"
#include "aim/media/video.h"
#include "train/sample_strips.h"

namespace aim {

void WriteSampleVideos(const std::string& mode, const std::filesystem::path& out,
                       std::vector<SampleStrip>& strips) {
  for (size_t i = 0; i < strips.size(); ++i) {
    SampleStrip& strip = strips[i];
    if (strip.frames.empty()) continue;
    const std::string file = "samples/" + mode + "_" + std::to_string(i) + ".mp4";
    const Image first = EnlargePixels(strip.frames.front());
    VideoWriter writer(out / file, {first.width, first.height, strip.fps});
    for (const Image& frame : strip.frames) writer.Append(EnlargePixels(frame));
    writer.Finish();
    strip.video = file;
    strip.frames.clear();
  }
}

}  // namespace aim
