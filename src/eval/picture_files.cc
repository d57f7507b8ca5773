#include "aim/media/video.h"
#include "eval/pictures.h"

namespace aim {

std::filesystem::path WriteFilmstrip(const Image& image, const std::filesystem::path& stem) {
  const std::filesystem::path path = stem.string() + ".jpg";
  WriteImage(path, image);
  return path;
}

std::vector<std::filesystem::path> WriteTrialVideos(const TrialPictures& pictures, double fps,
                                                    const std::filesystem::path& stem) {
  constexpr int kFramesAfterEnd = 6;  // a video rests on its last picture
  std::vector<std::filesystem::path> paths;
  for (size_t view = 0; view < pictures.views.size(); ++view) {
    const std::vector<Image>& frames = pictures.views[view];
    const std::filesystem::path path = stem.string() + "_view" + std::to_string(view) + ".mp4";
    VideoWriter writer(path, {frames[0].width, frames[0].height, fps});
    for (const Image& frame : frames) writer.Append(frame);
    for (int i = 0; i < kFramesAfterEnd; ++i) writer.Append(frames.back());
    writer.Finish();
    paths.push_back(path);
  }
  return paths;
}

std::string LeftOut() { return ""; }

}  // namespace aim
