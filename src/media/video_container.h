// A video file that libav has opened, and what its packets say of its frames. For the sources of
// media only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "media/frame_pixels.h"
#include "media/libav.h"

namespace aim {

// Throws FormatError: what is wrong with the video file at `path`.
[[noreturn]] void FailVideo(const std::filesystem::path& path, const std::string& got);

// The file's best video stream, at its first packet.
class VideoContainer {
 public:
  // Throws InputError if the file is missing, FormatError if it is no readable video.
  explicit VideoContainer(const std::filesystem::path& path);

  const AVStream& stream() const { return *stream_; }
  const AVCodec& decoder() const { return *decoder_; }
  bool is_avi() const;

  // What the file says of itself; 0 if nothing.
  double DeclaredRate() const;
  int64_t DeclaredPackets() const;

  // From the stream's display matrix. Throws FormatError if that is no quarter turn.
  PictureTurn Turn() const;

  // The stream's next packet with data; false at the end. Throws FormatError where a packet is
  // incomplete or cannot be read; `frames_read` is for its sentence.
  bool Next(AVPacket& packet, int64_t frames_read);

  // Goes to the key frame with this decoding time, or to an earlier one; false if it cannot.
  bool Seek(int64_t dts);

 private:
  std::filesystem::path path_;
  LibavPtr<AVFormatContext> container_;
  AVStream* stream_ = nullptr;  // owned by container_
  const AVCodec* decoder_ = nullptr;
};

// A key frame from which all later frames can be decoded.
struct KeyFrame {
  int frame = 0;  // in order of showing
  int64_t dts = 0;
};

// The frames of a whole file.
struct FrameTable {
  int num_frames = 0;
  std::vector<int64_t> pts;          // rising, one a frame; empty if the packets do not say
  std::vector<double> times_s;       // one a frame
  std::vector<KeyFrame> key_frames;  // rising; none where `pts` is empty
  double fps = 0;

  // The frame shown at this time; nothing if there is none.
  std::optional<int> FrameAt(int64_t frame_pts) const;
};

// Runs over all packets, without decoding them. Throws FormatError if the file is cut off (it says
// how much is there), damaged or without frames. Warns of a recording that does not say where it
// ends.
FrameTable ReadFrameTable(const std::filesystem::path& path);

}  // namespace aim
