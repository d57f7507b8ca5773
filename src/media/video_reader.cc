#include <algorithm>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>

#include "aim/base/error.h"
#include "aim/media/video.h"
#include "media/libav.h"

namespace aim {
namespace {

constexpr int64_t kMaxPixelBytes = int64_t{8} << 30;
constexpr int kMaxSide = 16384;

// Does a box of this mp4 file end behind the file? Decoders do not mind if only the last ones are
// cut; a copy that stopped early is damaged all the same.
bool HasCutBox(const std::filesystem::path& path) {
  const uint64_t file_bytes = std::filesystem::file_size(path);
  std::ifstream file(path, std::ios::binary);
  const auto read_number = [&file](int num_bytes) {
    uint64_t number = 0;
    for (int i = 0; i < num_bytes; ++i) number = number << 8 | static_cast<uint8_t>(file.get());
    return number;
  };
  uint64_t begin = 0;
  while (begin < file_bytes) {
    if (file_bytes - begin < 8) return true;
    file.seekg(static_cast<std::streamoff>(begin));
    uint64_t box_bytes = read_number(4);
    if (box_bytes == 0) return false;  // up to the end of the file, whatever that is
    if (box_bytes == 1) {              // 64-bit size behind the type
      read_number(4);
      box_bytes = read_number(8);
    }
    if (box_bytes < 8 || box_bytes > file_bytes - begin) return true;
    begin += box_bytes;
  }
  return false;
}

// The key frame that was jumped to, until its frame has come.
struct Sought {
  int64_t pos = -1;              // bytes
  int64_t pts = AV_NOPTS_VALUE;  // once its packet has been read
};

class Reader {
 public:
  Reader(const std::filesystem::path& path, int begin, int end)
      : path_(path), begin_(begin), end_(end) {
    SilenceLibav();
    packet_.reset(av_packet_alloc());
    frame_.reset(av_frame_alloc());
    AIM_CHECK(packet_ != nullptr && frame_ != nullptr);
  }

  ~Reader() { avformat_close_input(&container_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Video Read() {
    OpenContainer();
    OpenCodec();
    SeekToBegin();
    while (!done()) {
      const int code = av_read_frame(container_, packet_.get());
      if (code == AVERROR_EOF) break;
      if (code < 0) Fail("unreadable after " + Frames() + " (" + LibavErrorText(code) + ")");
      if (packet_->stream_index == stream_->index) {
        if (packet_->flags & AV_PKT_FLAG_CORRUPT) Fail("cut off after " + Frames());
        if (sought_ && sought_->pts == AV_NOPTS_VALUE) CheckPacket(*sought_);
        ++num_packets_;
        Decode(packet_.get());
      }
      av_packet_unref(packet_.get());
    }
    if (!done()) Decode(nullptr);
    if (!done() && num_packets_ < promised_packets_) {
      Fail("cut off after " + std::to_string(num_packets_) + " of " +
           std::to_string(promised_packets_) + " frames");
    }
    if (video_.num_frames == 0) {
      Fail(num_decoded_ == 0 ? "a video without frames" : "a video of " + Frames());
    }
    video_.format.fps = FrameRate();
    return std::move(video_);
  }

  VideoInfo Probe() {
    OpenContainer();
    OpenCodec();
    const AVCodecParameters& codec = *stream_->codecpar;
    CheckSize(codec.width, codec.height);
    VideoInfo info{.format = {codec.width, codec.height, FrameRate()}, .num_frames = CountFrames()};
    if (info.num_frames == 0) Fail("a video without frames");
    return info;
  }

 private:
  bool done() const { return num_decoded_ >= end_; }
  std::string Frames() const { return std::to_string(num_decoded_) + " frames"; }

  [[noreturn]] void Fail(const std::string& got) const {
    throw FormatError({.where = path_.string(),
                       .got = got,
                       .expected = "a whole video (mp4, mov, mkv, webm or avi)",
                       .fix = "write or copy the file again"});
  }

  void OpenContainer() {
    if (!std::filesystem::is_regular_file(path_)) {
      throw InputError({.where = path_.string(),
                        .got = std::filesystem::exists(path_) ? "not a file" : "missing",
                        .expected = "a video file",
                        .fix = "check the path"});
    }
    AVDictionary* settings = nullptr;
    // A playlist that is called .mp4 must not make us open other files or the network.
    av_dict_set(&settings, "protocol_whitelist", "file", 0);
    av_dict_set(&settings, "format_whitelist", "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi", 0);
    const int code =
        avformat_open_input(&container_, ("file:" + path_.string()).c_str(), nullptr, &settings);
    av_dict_free(&settings);
    if (code < 0) Fail("no readable video (" + LibavErrorText(code) + ")");
  }

  void OpenCodec() {
    if (avformat_find_stream_info(container_, nullptr) < 0) Fail("no readable video stream");
    const AVCodec* decoder = nullptr;
    const int index = av_find_best_stream(container_, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
    if (index < 0 || decoder == nullptr) Fail("without a video stream that can be decoded");
    stream_ = container_->streams[index];
    // Only mp4's index is complete from the start; that of others grows while reading.
    if (std::strstr(container_->iformat->name, "mp4") != nullptr) {
      if (HasCutBox(path_)) Fail("cut off");
      promised_packets_ = avformat_index_get_entries_count(stream_);
    }
    codec_.reset(avcodec_alloc_context3(decoder));
    AIM_CHECK(codec_ != nullptr);
    if (avcodec_parameters_to_context(codec_.get(), stream_->codecpar) < 0) {
      Fail("a video stream with bad parameters");
    }
    codec_->thread_count = 1;
    codec_->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
    if (avcodec_open2(codec_.get(), decoder, nullptr) < 0) Fail("a video of an unknown codec");
  }

  // Goes to the last key frame up to `begin_` where its number is certain: in an mp4 file whose
  // frames are neither reordered nor dropped, packet k is frame k. Otherwise all are decoded.
  void SeekToBegin() {
    if (stream_->codecpar->video_delay > 0) return;
    int key = 0;
    for (int i = 0; i < promised_packets_; ++i) {
      const int flags = avformat_index_get_entry(stream_, i)->flags;
      if ((flags & AVINDEX_DISCARD_FRAME) != 0) return;
      if (i <= begin_ && (flags & AVINDEX_KEYFRAME) != 0) key = i;
    }
    if (key == 0) return;
    const AVIndexEntry& entry = *avformat_index_get_entry(stream_, key);
    sought_ = {.pos = entry.pos};
    if (av_seek_frame(container_, stream_->index, entry.timestamp, AVSEEK_FLAG_BACKWARD) < 0) {
      FailSeek();
    }
    num_decoded_ = key;
    num_packets_ = key;
  }

  void CheckPacket(Sought& sought) const {
    if (packet_->pos != sought.pos) FailSeek();
    sought.pts = packet_->pts;
  }

  [[noreturn]] void FailSeek() const { Fail("a video whose index does not fit its frames"); }

  // A null packet asks for the frames that the decoder still holds.
  void Decode(const AVPacket* packet) {
    int code = avcodec_send_packet(codec_.get(), packet);
    while (code >= 0 && !done()) {
      code = avcodec_receive_frame(codec_.get(), frame_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      if (code < 0) break;
      if (frame_->decode_error_flags != 0 || (frame_->flags & AV_FRAME_FLAG_CORRUPT)) {
        Fail("damaged in frame " + std::to_string(num_decoded_));
      }
      if (sought_ && frame_->pts != sought_->pts) FailSeek();
      sought_.reset();
      if (num_decoded_ >= begin_) Keep();
      ++num_decoded_;
      av_frame_unref(frame_.get());
    }
    if (code < 0) {
      Fail("damaged after " + Frames() + " (" + LibavErrorText(code) + ")");
    }
  }

  void CheckSize(int width, int height) const {
    if (width >= 1 && width <= kMaxSide && height >= 1 && height <= kMaxSide) return;
    Fail("a video of " + std::to_string(width) + "x" + std::to_string(height));
  }

  // Packets that become a frame: an edit list may tell a player to drop some.
  int CountFrames() {
    int count = 0;
    if (promised_packets_ > 0) {
      for (int i = 0; i < promised_packets_; ++i) {
        const AVIndexEntry* entry = avformat_index_get_entry(stream_, i);
        if (entry != nullptr && (entry->flags & AVINDEX_DISCARD_FRAME) == 0) ++count;
      }
      return count;
    }
    while (av_read_frame(container_, packet_.get()) >= 0) {
      if (packet_->stream_index == stream_->index) ++count;
      av_packet_unref(packet_.get());
    }
    return count;
  }

  // Appends frame_ as RGB.
  void Keep() {
    if (video_.num_frames == 0) {
      CheckSize(frame_->width, frame_->height);
      video_.format.width = frame_->width;
      video_.format.height = frame_->height;
    }
    if (frame_->width != video_.format.width || frame_->height != video_.format.height) {
      Fail("a video whose size changes at frame " + std::to_string(num_decoded_));
    }
    const size_t offset = video_.rgb.size();
    if (static_cast<int64_t>(offset + video_.frame_bytes()) > kMaxPixelBytes) {
      Fail("more than 8 GiB of pixels");
    }
    video_.rgb.resize(offset + video_.frame_bytes());
    ConvertTo(video_.rgb.data() + offset);
    ++video_.num_frames;
  }

  void ConvertTo(uint8_t* rgb) {
    const int width = frame_->width;
    const int height = frame_->height;
    const auto format = static_cast<AVPixelFormat>(frame_->format);
    if (scaler_ == nullptr) {
      scaler_.reset(sws_getContext(width, height, format, width, height, AV_PIX_FMT_RGB24,
                                   SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr,
                                   nullptr, nullptr));
      if (scaler_ == nullptr) Fail("a video of an unknown pixel format");
      scaler_format_ = format;
      AllocateConverted(width, height);
      // Untagged video is read as BT.601, as OpenCV and libav's own tools do.
      const int space = frame_->colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709 : SWS_CS_DEFAULT;
      sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(space),
                               frame_->color_range == AVCOL_RANGE_JPEG ? 1 : 0,
                               sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    }
    if (format != scaler_format_) {
      Fail("a video whose pixel format changes at frame " + std::to_string(num_decoded_));
    }
    if (sws_scale(scaler_.get(), frame_->data, frame_->linesize, 0, height, converted_->data,
                  converted_->linesize) != height) {
      Fail("damaged in frame " + std::to_string(num_decoded_));
    }
    for (int row = 0; row < height; ++row) {
      std::copy_n(converted_->data[0] + static_cast<ptrdiff_t>(row) * converted_->linesize[0],
                  width * 3, rgb + static_cast<ptrdiff_t>(row) * width * 3);
    }
  }

  // swscale writes whole vectors, over the end of a line: it gets a padded frame of its own.
  void AllocateConverted(int width, int height) {
    converted_.reset(av_frame_alloc());
    AIM_CHECK(converted_ != nullptr);
    converted_->format = AV_PIX_FMT_RGB24;
    converted_->width = width;
    converted_->height = height;
    if (av_frame_get_buffer(converted_.get(), 0) < 0) Fail("too large for the memory");
  }

  double FrameRate() const {
    const AVRational rate =
        stream_->avg_frame_rate.num > 0 ? stream_->avg_frame_rate : stream_->r_frame_rate;
    if (rate.num <= 0 || rate.den <= 0) Fail("without a frame rate");
    return av_q2d(rate);
  }

  std::filesystem::path path_;
  int begin_;  // first frame to keep
  int end_;    // one past the last
  Video video_;
  int num_decoded_ = 0;  // or jumped over
  std::optional<Sought> sought_;
  int64_t num_packets_ = 0;
  int promised_packets_ = 0;
  AVFormatContext* container_ = nullptr;
  AVStream* stream_ = nullptr;  // owned by container_
  LibavPtr<AVCodecContext> codec_;
  LibavPtr<AVPacket> packet_;
  LibavPtr<AVFrame> frame_;
  LibavPtr<AVFrame> converted_;
  LibavPtr<SwsContext> scaler_;
  AVPixelFormat scaler_format_ = AV_PIX_FMT_NONE;
};

}  // namespace

Video ReadVideo(const std::filesystem::path& path, int max_frames) {
  AIM_CHECK(max_frames > 0);
  return Reader(path, 0, max_frames).Read();
}

Video ReadVideoFrames(const std::filesystem::path& path, int begin, int end) {
  AIM_CHECK(begin >= 0 && end > begin);
  return Reader(path, begin, end).Read();
}

VideoInfo ProbeVideo(const std::filesystem::path& path) { return Reader(path, 0, 1).Probe(); }

}  // namespace aim
