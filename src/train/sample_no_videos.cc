// In place of sample_videos.cc in a core build, which has no video encoder.
#include "train/sample_strips.h"

namespace aim {

void WriteSampleVideos(const std::string&, const std::filesystem::path&,
                       std::vector<SampleStrip>& strips) {
  for (SampleStrip& strip : strips) strip.frames.clear();
}

}  // namespace aim
