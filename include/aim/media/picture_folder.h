// Pictures in a folder, read as the frames of a video.
#pragma once

#include <filesystem>
#include <string>

#include "aim/media/frame_reader.h"
#include "aim/media/image.h"

namespace aim {

// Throws InputError naming `where` if a picture is of another size than the frames of its view.
void RequireFrameSize(const Image& image, const VideoFormat& format, const std::string& where);

// How the pictures of a folder are called: <prefix><frame><extension>.
struct PictureNames {
  std::string prefix = {};
  std::string extension = ".png";  // in lower case; files may have it in capitals
};

// <folder>/0.png, 1.png, ... (000000.png and 0.PNG as well), one size, or as `names` says. Hidden
// files and files of other extensions do not count.
class PictureFolder : public FrameReader {
 public:
  // Frame k is shown at k / fps. Throws InputError if the folder is missing or without pictures, if
  // a name is no number, or if a number is missing or there twice; what ReadImage throws (image.h)
  // for the first picture.
  PictureFolder(const std::filesystem::path& folder, double fps, const PictureNames& names = {});

  const VideoInfo& info() const override { return info_; }

  // Throws InputError too: a picture is of another size than the first.
  void VisitFrames(int begin, int end, int stride, const Visit& visit) override;

 private:
  std::vector<std::filesystem::path> files_;  // of each frame
  VideoInfo info_;
};

}  // namespace aim
