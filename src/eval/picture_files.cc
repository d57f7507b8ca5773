#include "aim/media/resize.h"
#include "aim/media/video.h"
#include "eval/pictures.h"

namespace aim {

Image AtReportSize(const Image& image, int size) { return ResizeImage(image, size, size); }

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
    const size_t num_frames = pictures.views[view].size();
    const std::filesystem::path path = stem.string() + "_view" + std::to_string(view) + ".mp4";
    Image frame = VideoFrame(pictures, view, 0);
    VideoWriter writer(path, {frame.width, frame.height, fps});
    for (size_t i = 0; i < num_frames; ++i) {
      frame = VideoFrame(pictures, view, i);
      writer.Append(frame);
    }
    for (int i = 0; i < kFramesAfterEnd; ++i) writer.Append(frame);
    writer.Finish();
    paths.push_back(path);
  }
  return paths;
}

std::string LeftOut() { return ""; }

}  // namespace aim
