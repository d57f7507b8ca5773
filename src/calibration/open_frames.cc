#include "calibration/open_frames.h"

#include <filesystem>

#include "aim/base/error.h"
#include "aim/media/file_names.h"
#include "aim/media/picture_folder.h"
#include "aim/media/video.h"

namespace aim {

namespace fs = std::filesystem;

std::shared_ptr<FrameReader> OpenFrames(const std::string& path, double fps) {
  if (fs::is_directory(path)) return std::make_shared<PictureFolder>(path, fps);
  if (IsVideoName(path) || !fs::exists(path)) return std::make_shared<VideoReader>(path);
  throw InputError(
      {.where = path,
       .got = "of another kind",
       .expected = "a video (" + std::string(VideoNames()) + ") or a folder of 0.png, 1.png, ...",
       .fix = ""});
}

}  // namespace aim
