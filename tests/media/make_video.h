// Videos as other programs write them, made through libav: any container, codec, times, colour
// space and display matrix.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "aim/media/image.h"
#include "media/libav.h"

namespace aim::testing {

struct MadeVideo {
  std::string container = "mp4";  // libav's name: mp4, mov, matroska, webm, avi
  std::string encoder = "libx264";
  std::string movflags = {};
  std::vector<int> times_ms = {};  // of each frame; empty: 100 ms apart
  int gop = 6;
  int num_b_frames = 0;
  AVColorSpace space = AVCOL_SPC_UNSPECIFIED;
  AVColorRange range = AVCOL_RANGE_MPEG;
  std::vector<int32_t> matrix = {};  // the upper left 2x2 of the display matrix: a b c d
  int first_key = 0;                 // packets before this key frame (from 0) are not written
  bool seekable = true;              // false: as into a pipe, so that lengths stay unknown
};

// Kr and Kb of the matrix (ITU-T H.273, table 4).
inline std::array<double, 2> LumaWeights(AVColorSpace space) {
  switch (space) {
    case AVCOL_SPC_BT709:
      return {0.2126, 0.0722};
    case AVCOL_SPC_FCC:
      return {0.30, 0.11};
    case AVCOL_SPC_SMPTE240M:
      return {0.212, 0.087};
    case AVCOL_SPC_BT2020_NCL:
      return {0.2627, 0.0593};
    default:
      return {0.299, 0.114};
  }
}

// One pixel in Y, Cb, Cr (H.273, equations 22 to 33).
inline std::array<uint8_t, 3> ToYuv(const uint8_t* rgb, AVColorSpace space, AVColorRange range) {
  const auto [kr, kb] = LumaWeights(space);
  const double r = rgb[0] / 255.0;
  const double g = rgb[1] / 255.0;
  const double b = rgb[2] / 255.0;
  const double y = kr * r + (1 - kr - kb) * g + kb * b;
  const double cb = (b - y) / (2 * (1 - kb));
  const double cr = (r - y) / (2 * (1 - kr));
  const bool full = range == AVCOL_RANGE_JPEG;
  const auto byte = [](double value) { return static_cast<uint8_t>(std::lround(value)); };
  return {byte(full ? 255 * y : 16 + 219 * y), byte(std::min(255.0, 128 + (full ? 255 : 224) * cb)),
          byte(std::min(255.0, 128 + (full ? 255 : 224) * cr))};
}

// Writes frames of one size.
class VideoMaker {
 public:
  VideoMaker(const std::filesystem::path& path, const MadeVideo& made) : made_(made) {
    SilenceLibav();
    avformat_alloc_output_context2(&container_, nullptr, made.container.c_str(), nullptr);
    Expect(container_ == nullptr ? -1 : 0, "container");
    Expect(avio_open(&container_->pb, ("file:" + path.string()).c_str(), AVIO_FLAG_WRITE), "open");
    container_->url = av_strdup(("file:" + path.string()).c_str());
    if (!made.seekable) container_->pb->seekable = 0;
  }
  ~VideoMaker() {
    avio_closep(&container_->pb);
    avformat_free_context(container_);
  }
  VideoMaker(const VideoMaker&) = delete;
  VideoMaker& operator=(const VideoMaker&) = delete;

  void Write(const std::vector<Image>& frames) {
    Open(frames.at(0).width, frames[0].height);
    for (size_t k = 0; k < frames.size(); ++k) {
      Fill(frames[k]);
      frame_->pts = made_.times_ms.empty() ? static_cast<int64_t>(k) * Interval()
                                           : made_.times_ms[k] * Interval() / 100;
      Expect(avcodec_send_frame(codec_.get(), frame_.get()), "encode");
      WritePackets();
    }
    Expect(avcodec_send_frame(codec_.get(), nullptr), "flush");
    WritePackets();
    Expect(av_write_trailer(container_), "trailer");
  }

 private:
  static void Expect(int code, const char* what) {
    if (code < 0) throw std::runtime_error(std::string(what) + ": " + LibavErrorText(code));
  }

  // Of frames 100 ms apart. AVI and MPEG-4 count frames, the others milliseconds.
  int Interval() const { return made_.container == "avi" ? 1 : 100; }

  void Open(int width, int height) {
    const AVCodec* encoder = avcodec_find_encoder_by_name(made_.encoder.c_str());
    Expect(encoder == nullptr ? -1 : 0, "no encoder");
    codec_.reset(avcodec_alloc_context3(encoder));
    codec_->width = width;
    codec_->height = height;
    codec_->time_base = {1, 10 * Interval()};
    codec_->framerate = {10, 1};
    codec_->pix_fmt = made_.encoder == "libx264" ? AV_PIX_FMT_YUV444P : AV_PIX_FMT_YUV420P;
    codec_->gop_size = made_.gop;
    codec_->max_b_frames = made_.num_b_frames;
    codec_->thread_count = 1;
    codec_->colorspace = made_.space;
    codec_->color_range = made_.range;
    codec_->global_quality = FF_QP2LAMBDA * 2;
    codec_->flags |= AV_CODEC_FLAG_BITEXACT;
    if ((container_->oformat->flags & AVFMT_GLOBALHEADER) != 0) {
      codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    }
    AVDictionary* settings = nullptr;
    if (made_.encoder == "libx264") av_dict_set(&settings, "qp", "0", 0);
    Expect(avcodec_open2(codec_.get(), encoder, &settings), "encoder");
    av_dict_free(&settings);
    OpenStream();
    packet_.reset(av_packet_alloc());
    frame_.reset(av_frame_alloc());
    frame_->format = codec_->pix_fmt;
    frame_->width = width;
    frame_->height = height;
    Expect(av_frame_get_buffer(frame_.get(), 0), "frame");
  }

  void OpenStream() {
    stream_ = avformat_new_stream(container_, nullptr);
    stream_->time_base = codec_->time_base;
    stream_->avg_frame_rate = codec_->framerate;
    Expect(avcodec_parameters_from_context(stream_->codecpar, codec_.get()), "parameters");
    if (!made_.matrix.empty()) AddMatrix();
    AVDictionary* settings = nullptr;
    if (!made_.movflags.empty()) av_dict_set(&settings, "movflags", made_.movflags.c_str(), 0);
    Expect(avformat_write_header(container_, &settings), "header");
    av_dict_free(&settings);
  }

  void AddMatrix() {
    const std::array<int32_t, 9> all = {
        made_.matrix[0], made_.matrix[1], 0, made_.matrix[2], made_.matrix[3], 0, 0, 0, 1 << 30};
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
    AVPacketSideData* data = av_packet_side_data_new(&stream_->codecpar->coded_side_data,
                                                     &stream_->codecpar->nb_coded_side_data,
                                                     AV_PKT_DATA_DISPLAYMATRIX, sizeof all, 0);
    std::copy_n(all.data(), all.size(), reinterpret_cast<int32_t*>(data->data));
#else
    uint8_t* data = av_stream_new_side_data(stream_, AV_PKT_DATA_DISPLAYMATRIX, sizeof all);
    std::copy_n(all.data(), all.size(), reinterpret_cast<int32_t*>(data));
#endif
  }

  // 4:2:0 takes the colour of each square's first pixel.
  void Fill(const Image& image) {
    Expect(av_frame_make_writable(frame_.get()), "frame");
    const int step = codec_->pix_fmt == AV_PIX_FMT_YUV444P ? 1 : 2;
    for (int row = 0; row < image.height; ++row) {
      for (int col = 0; col < image.width; ++col) {
        const uint8_t* rgb = &image.rgb[static_cast<size_t>(row * image.width + col) * 3];
        const std::array<uint8_t, 3> yuv = ToYuv(rgb, made_.space, made_.range);
        frame_->data[0][row * frame_->linesize[0] + col] = yuv[0];
        if (row % step != 0 || col % step != 0) continue;
        for (int c = 1; c < 3; ++c) {
          frame_->data[c][row / step * frame_->linesize[c] + col / step] =
              yuv[static_cast<size_t>(c)];
        }
      }
    }
  }

  void WritePackets() {
    while (avcodec_receive_packet(codec_.get(), packet_.get()) >= 0) {
      packet_->stream_index = stream_->index;
      num_keys_ += (packet_->flags & AV_PKT_FLAG_KEY) != 0;
      if (num_keys_ <= made_.first_key) continue;
      av_packet_rescale_ts(packet_.get(), codec_->time_base, stream_->time_base);
      Expect(av_write_frame(container_, packet_.get()), "write");
      av_packet_unref(packet_.get());
    }
  }

  MadeVideo made_;
  int num_keys_ = 0;
  AVFormatContext* container_ = nullptr;
  AVStream* stream_ = nullptr;  // owned by container_
  LibavPtr<AVCodecContext> codec_;
  LibavPtr<AVFrame> frame_;
  LibavPtr<AVPacket> packet_;
};

inline void MakeVideo(const std::filesystem::path& path, const MadeVideo& made,
                      const std::vector<Image>& frames) {
  VideoMaker(path, made).Write(frames);
}

}  // namespace aim::testing
