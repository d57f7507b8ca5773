// In place of picture_files.cc in a core build, which has neither OpenCV nor libav.
#include "aim/base/atomic_file.h"
#include "aim/format/png.h"
#include "eval/pictures.h"

namespace aim {

Image AtReportSize(const Image& image, int) { return image; }

std::filesystem::path WriteFilmstrip(const Image& image, const std::filesystem::path& stem) {
  const std::filesystem::path path = stem.string() + ".png";
  WriteFileAtomic(path, EncodePng(image.width, image.height, image.rgb));
  return path;
}

std::vector<std::filesystem::path> WriteTrialVideos(const TrialPictures&, double,
                                                    const std::filesystem::path&) {
  return {};
}

std::string LeftOut() { return "videos (this build, AIM_CORE_ONLY, has no video encoder)"; }

}  // namespace aim
