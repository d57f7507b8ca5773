// Video files, read in any of the usual formats and written as H.264, through libav.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "aim/media/frame_reader.h"
#include "aim/media/image.h"

namespace aim {

// A whole video in memory. `rgb` is row-major [num_frames, height, width, 3].
struct Video {
  VideoFormat format;
  int num_frames = 0;
  std::vector<double> times_s;  // when each frame is shown, as the file says; may start above 0
  std::vector<uint8_t> rgb;

  size_t frame_bytes() const {
    return static_cast<size_t>(format.width) * static_cast<size_t>(format.height) * 3;
  }
  std::span<const uint8_t> frame(int index) const {
    return std::span(rgb).subspan(static_cast<size_t>(index) * frame_bytes(), frame_bytes());
  }
};

// Frame `index` as a picture of its own.
Image FrameImage(const Video& video, int index);

// How a video is compressed. Every frame k has pts k / fps; there are no B-frames.
struct VideoOptions {
  // Bit-exact RGB (H.264 High 4:4:4 in RGB, read by libav and OpenCV but by few browsers).
  // Otherwise yuv420p (BT.709), which everything plays; an odd size then gains one repeated row or
  // column.
  bool lossless = false;
  int crf = 18;  // quality of lossy video, 0 (best) to 51
  int gop = 8;   // frames from one key frame to the next: what a random seek has to decode
};

// Writes one frame after another. The file appears under its name when Finish returns; without
// Finish nothing stays behind.
class VideoWriter {
 public:
  // Makes the folder of `path`. Throws ConfigError if `path` does not end in .mp4 or the format or
  // an option is out of range, IoError if the system fails.
  VideoWriter(const std::filesystem::path& path, const VideoFormat& format,
              const VideoOptions& options = {});
  ~VideoWriter();
  VideoWriter(const VideoWriter&) = delete;
  VideoWriter& operator=(const VideoWriter&) = delete;

  // `rgb` is one frame, [height, width, 3]. Throws InputError for another length.
  void Append(std::span<const uint8_t> rgb);
  void Append(const Image& image);
  int64_t size_bytes() const;  // so far, but for frames that the encoder still holds
  void Finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// All frames at once: `rgb` is [T, height, width, 3] with T >= 1.
void WriteVideo(const std::filesystem::path& path, const VideoFormat& format,
                std::span<const uint8_t> rgb, const VideoOptions& options = {});

// A video file that is open: mp4/mov, Matroska/WebM or AVI with any codec that libav has, its best
// video stream. Pictures are those a player shows: turned as the file says, colours by its own
// matrix (BT.601 if it names none) and range, frames outside an edit list left out, with the file's
// own times. Memory does not grow with its length.
//
// Throws InputError if the file is missing; FormatError, naming the file, if it is no video, is cut
// off (bytes of others behind a whole file do not matter), damaged, or changes its size. A
// recording that does not say where it ends is read as far as it goes, with a warning.
class VideoReader : public FrameReader {
 public:
  explicit VideoReader(const std::filesystem::path& path);  // runs over the packets once
  ~VideoReader() override;
  VideoReader(VideoReader&&) noexcept;
  VideoReader& operator=(VideoReader&&) noexcept;

  // A second reader of the same file, which does not run over its packets again: for another
  // thread, or another part. Safe while others call it, too.
  VideoReader Another() const;

  const VideoInfo& info() const override;

  // Goes on where the last call ended, or from the nearest key frame.
  void VisitFrames(int begin, int end, int stride, const Visit& visit) override;

 private:
  class Impl;
  explicit VideoReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The first `max_frames` frames, decoded. Throws like VideoReader, and FormatError for more than 8
// GiB of pixels in the frames asked for.
Video ReadVideo(const std::filesystem::path& path,
                int max_frames = std::numeric_limits<int>::max());

// Throws InputError naming `where` if that many RGB pictures at once would take more than 8 GiB.
void CheckPixelMemory(int64_t num_pictures, int width, int height, const std::string& where);

// Frames [begin, end) alone, the same pixels as in the whole video; fewer if it ends before `end`.
// Memory is that of the frames asked for. 0 <= begin < end. Throws like ReadVideo, and FormatError
// if there is no frame `begin`.
Video ReadVideoFrames(const std::filesystem::path& path, int begin, int end);

// Size, rate, times and number of frames without decoding them. Throws like VideoReader.
VideoInfo ProbeVideo(const std::filesystem::path& path);

}  // namespace aim
