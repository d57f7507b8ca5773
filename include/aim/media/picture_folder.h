// Pictures in a folder, read as the frames of a video.
#pragma once

#include <filesystem>

#include "aim/media/frame_reader.h"

namespace aim {

// <folder>/0.png, 1.png, ... (000000.png and 0.PNG as well), one size. Hidden files and files that
// are no PNG do not count.
class PictureFolder : public FrameReader {
 public:
  // Frame k is shown at k / fps. Throws InputError if the folder is missing or without pictures, if
  // a name is no number, or if a number is missing or there twice; what ReadImage throws (image.h)
  // for the first picture.
  PictureFolder(const std::filesystem::path& folder, double fps);

  const VideoInfo& info() const override { return info_; }

  // Throws InputError too: a picture is of another size than the first.
  void VisitFrames(int begin, int end, int stride, const Visit& visit) override;

 private:
  std::vector<std::filesystem::path> files_;  // of each frame
  VideoInfo info_;
};

}  // namespace aim
