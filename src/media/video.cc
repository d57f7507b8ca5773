#include "aim/media/video.h"

#include "aim/base/error.h"

namespace aim {

Image FrameImage(const Video& video, int index) {
  AIM_CHECK(index >= 0 && index < video.num_frames);
  Image image(video.format.width, video.format.height);
  const std::span<const uint8_t> frame = video.frame(index);
  image.rgb.assign(frame.begin(), frame.end());
  return image;
}

void WriteVideo(const std::filesystem::path& path, const VideoFormat& format,
                std::span<const uint8_t> rgb, const VideoOptions& options) {
  VideoWriter writer(path, format, options);
  const size_t frame_bytes =
      static_cast<size_t>(format.width) * static_cast<size_t>(format.height) * 3;
  if (rgb.empty() || rgb.size() % frame_bytes != 0) {
    throw InputError({.where = path.string(),
                      .got = "of " + std::to_string(rgb.size()) + " bytes of pixels",
                      .expected = "a positive multiple of the " + std::to_string(frame_bytes) +
                                  " bytes of one frame",
                      .fix = ""});
  }
  for (size_t begin = 0; begin < rgb.size(); begin += frame_bytes) {
    writer.Append(rgb.subspan(begin, frame_bytes));
  }
  writer.Finish();
}

}  // namespace aim
