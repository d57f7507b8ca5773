#include <unistd.h>

#include <atomic>
#include <cmath>
#include <string>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/media/video.h"
#include "media/libav.h"

namespace aim {
namespace {

void CheckFormat(const std::filesystem::path& path, const VideoFormat& format,
                 const VideoOptions& options) {
  const auto fail = [&](const std::string& got, const std::string& expected) {
    throw ConfigError({.where = path.string(), .got = got, .expected = expected, .fix = ""});
  };
  if (path.extension() != ".mp4") fail("no .mp4 name", "a video name ending in .mp4");
  if (format.width < 2 || format.width > kMaxVideoSide || format.height < 2 ||
      format.height > kMaxVideoSide) {
    fail("a video of " + SizeText(format.width, format.height),
         "sides of 2 to " + std::to_string(kMaxVideoSide) + " pixels");
  }
  if (!(format.fps >= 0.01 && format.fps <= 1000)) {
    fail("a video of " + std::to_string(format.fps) + " frames a second", "0.01 to 1000");
  }
  if (options.crf < 0 || options.crf > 51) fail("crf " + std::to_string(options.crf), "0 to 51");
  if (options.gop < 1 || options.gop > 1000) {
    fail("gop " + std::to_string(options.gop), "1 to 1000");
  }
}

std::filesystem::path ScratchName(const std::filesystem::path& path) {
  static std::atomic<unsigned> counter{0};
  return path.parent_path() /
         ("." + path.stem().string() + ".writing-" + std::to_string(::getpid()) + "-" +
          std::to_string(counter++) + ".mp4");
}

// Copies the last column and row outwards until the buffer [height, width] is full.
void PadPlane(uint8_t* data, int stride, int used_width, int used_height, int width, int height) {
  for (int row = 0; row < used_height; ++row) {
    uint8_t* line = data + static_cast<ptrdiff_t>(row) * stride;
    for (int col = used_width; col < width; ++col) {
      for (int c = 0; c < 3; ++c) line[col * 3 + c] = line[(used_width - 1) * 3 + c];
    }
  }
  for (int row = used_height; row < height; ++row) {
    std::copy_n(data + static_cast<ptrdiff_t>(used_height - 1) * stride, width * 3,
                data + static_cast<ptrdiff_t>(row) * stride);
  }
}

// The file being written. Unless it was renamed it goes with its owner.
struct Output {
  explicit Output(std::filesystem::path name) : scratch(std::move(name)) {}
  ~Output() {
    if (container != nullptr && container->pb != nullptr) avio_closep(&container->pb);
    avformat_free_context(container);
    std::error_code ignored;  // it is not there after Finish
    std::filesystem::remove(scratch, ignored);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  std::filesystem::path scratch;
  AVFormatContext* container = nullptr;
};

}  // namespace

class VideoWriter::Impl {
 public:
  Impl(const std::filesystem::path& path, const VideoFormat& format, const VideoOptions& options)
      : path_(path), output_(ScratchName(path)), format_(format), lossless_(options.lossless) {
    SilenceLibav();
    Open(options);
  }

  void Append(std::span<const uint8_t> rgb) {
    const size_t expected =
        static_cast<size_t>(format_.width) * static_cast<size_t>(format_.height) * 3;
    if (rgb.size() != expected) {
      throw InputError({.where = path_.string() + " frame " + std::to_string(num_frames_),
                        .got = "of " + std::to_string(rgb.size()) + " bytes",
                        .expected = std::to_string(expected) + " bytes of RGB",
                        .fix = ""});
    }
    Check(av_frame_make_writable(rgb_.get()), "no memory for a frame");
    for (int row = 0; row < format_.height; ++row) {
      std::copy_n(rgb.data() + static_cast<ptrdiff_t>(row) * format_.width * 3, format_.width * 3,
                  rgb_->data[0] + static_cast<ptrdiff_t>(row) * rgb_->linesize[0]);
    }
    PadPlane(rgb_->data[0], rgb_->linesize[0], format_.width, format_.height, rgb_->width,
             rgb_->height);
    AVFrame* frame = rgb_.get();
    if (!lossless_) {
      Check(av_frame_make_writable(yuv_.get()), "no memory for a frame");
      sws_scale(scaler_.get(), rgb_->data, rgb_->linesize, 0, rgb_->height, yuv_->data,
                yuv_->linesize);
      frame = yuv_.get();
    }
    frame->pts = num_frames_++;
    Check(avcodec_send_frame(codec_.get(), frame), "the encoder refused a frame");
    WritePackets();
  }

  int64_t size_bytes() const { return avio_tell(output_.container->pb); }

  void Finish() {
    if (num_frames_ == 0) {
      throw InputError({.where = path_.string(),
                        .got = "a video without frames",
                        .expected = "at least one",
                        .fix = ""});
    }
    Check(avcodec_send_frame(codec_.get(), nullptr), "the encoder failed");
    WritePackets();
    Check(av_write_trailer(output_.container), "the end of the file could not be written");
    Check(avio_closep(&output_.container->pb), "the file could not be closed");
    WriteFileAtomic(path_, [&](const std::filesystem::path& temporary) {
      std::filesystem::rename(output_.scratch, temporary);
    });
  }

 private:
  void Check(int code, const std::string& what) const {
    if (code >= 0) return;
    throw IoError({.where = path_.string(),
                   .got = "not written (" + what + ": " + LibavErrorText(code) + ")",
                   .expected = "room and permission to write it",
                   .fix = "check the disk and try again"});
  }

  void Open(const VideoOptions& options) {
    if (path_.has_parent_path()) std::filesystem::create_directories(path_.parent_path());
    Check(avformat_alloc_output_context2(&output_.container, nullptr, "mp4", nullptr),
          "no mp4 writer");
    OpenCodec(options);
    stream_ = avformat_new_stream(output_.container, nullptr);
    AIM_CHECK(stream_ != nullptr);
    stream_->time_base = codec_->time_base;
    stream_->avg_frame_rate = codec_->framerate;
    Check(avcodec_parameters_from_context(stream_->codecpar, codec_.get()), "bad parameters");
    const std::string url = "file:" + output_.scratch.string();
    Check(avio_open(&output_.container->pb, url.c_str(), AVIO_FLAG_WRITE),
          "the file could not be made");
    // faststart reads the file again through this name.
    output_.container->url = av_strdup(url.c_str());
    output_.container->flags |= AVFMT_FLAG_BITEXACT;  // no version of libav in the file
    AVDictionary* settings = nullptr;
    if (!lossless_) av_dict_set(&settings, "movflags", "+faststart", 0);
    const int code = avformat_write_header(output_.container, &settings);
    av_dict_free(&settings);
    Check(code, "the header could not be written");
  }

  void OpenCodec(const VideoOptions& options) {
    const char* name = lossless_ ? "libx264rgb" : "libx264";
    const AVCodec* encoder = avcodec_find_encoder_by_name(name);
    if (encoder == nullptr) {
      throw IoError({.where = path_.string(),
                     .got = std::string("a libavcodec without ") + name,
                     .expected = "one built with x264",
                     .fix = "install the distribution's full libavcodec"});
    }
    codec_.reset(avcodec_alloc_context3(encoder));
    AIM_CHECK(codec_ != nullptr);
    codec_->width = lossless_ ? format_.width : format_.width + format_.width % 2;
    codec_->height = lossless_ ? format_.height : format_.height + format_.height % 2;
    codec_->framerate = av_d2q(format_.fps, 100000);
    codec_->time_base = av_inv_q(codec_->framerate);
    codec_->pix_fmt = lossless_ ? AV_PIX_FMT_RGB24 : AV_PIX_FMT_YUV420P;
    codec_->gop_size = options.gop;
    codec_->max_b_frames = 0;
    codec_->thread_count = 1;  // the same bytes on every machine; many videos run side by side
    codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    if (!lossless_) {
      codec_->colorspace = AVCOL_SPC_BT709;
      codec_->color_primaries = AVCOL_PRI_BT709;
      codec_->color_trc = AVCOL_TRC_BT709;
      codec_->color_range = AVCOL_RANGE_MPEG;
    }
    AVDictionary* settings = nullptr;
    av_dict_set(&settings, "preset", lossless_ ? "ultrafast" : "veryfast", 0);
    av_dict_set(&settings, lossless_ ? "qp" : "crf",
                lossless_ ? "0" : std::to_string(options.crf).c_str(), 0);
    const int code = avcodec_open2(codec_.get(), encoder, &settings);
    av_dict_free(&settings);
    Check(code, "the encoder could not be opened");
    AllocateFrames();
  }

  void AllocateFrames() {
    rgb_.reset(av_frame_alloc());
    packet_.reset(av_packet_alloc());
    AIM_CHECK(rgb_ != nullptr && packet_ != nullptr);
    rgb_->format = AV_PIX_FMT_RGB24;
    rgb_->width = codec_->width;
    rgb_->height = codec_->height;
    Check(av_frame_get_buffer(rgb_.get(), 0), "no memory for a frame");
    if (lossless_) return;
    yuv_.reset(av_frame_alloc());
    AIM_CHECK(yuv_ != nullptr);
    yuv_->format = AV_PIX_FMT_YUV420P;
    yuv_->width = codec_->width;
    yuv_->height = codec_->height;
    yuv_->colorspace = AVCOL_SPC_BT709;
    yuv_->color_range = AVCOL_RANGE_MPEG;
    Check(av_frame_get_buffer(yuv_.get(), 0), "no memory for a frame");
    scaler_.reset(sws_getContext(codec_->width, codec_->height, AV_PIX_FMT_RGB24, codec_->width,
                                 codec_->height, AV_PIX_FMT_YUV420P,
                                 SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr,
                                 nullptr, nullptr));
    AIM_CHECK(scaler_ != nullptr);
    sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(SWS_CS_DEFAULT), 1,
                             sws_getCoefficients(SWS_CS_ITU709), 0, 0, 1 << 16, 1 << 16);
  }

  void WritePackets() {
    for (;;) {
      const int code = avcodec_receive_packet(codec_.get(), packet_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      Check(code, "the encoder failed");
      packet_->stream_index = stream_->index;
      packet_->duration = 1;
      av_packet_rescale_ts(packet_.get(), codec_->time_base, stream_->time_base);
      Check(av_write_frame(output_.container, packet_.get()), "a frame could not be written");
      av_packet_unref(packet_.get());
    }
  }

  std::filesystem::path path_;
  Output output_;
  VideoFormat format_;
  bool lossless_;
  int64_t num_frames_ = 0;
  AVStream* stream_ = nullptr;  // owned by output_.container
  LibavPtr<AVCodecContext> codec_;
  LibavPtr<AVFrame> rgb_;
  LibavPtr<AVFrame> yuv_;
  LibavPtr<AVPacket> packet_;
  LibavPtr<SwsContext> scaler_;
};

VideoWriter::VideoWriter(const std::filesystem::path& path, const VideoFormat& format,
                         const VideoOptions& options) {
  CheckFormat(path, format, options);
  impl_ = std::make_unique<Impl>(path, format, options);
}

VideoWriter::~VideoWriter() = default;

void VideoWriter::Append(std::span<const uint8_t> rgb) { impl_->Append(rgb); }

void VideoWriter::Append(const Image& image) { impl_->Append(image.rgb); }

int64_t VideoWriter::size_bytes() const { return impl_->size_bytes(); }

void VideoWriter::Finish() { impl_->Finish(); }

}  // namespace aim
