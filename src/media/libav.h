// Ownership of libav's objects, and its messages switched off. For the sources of media only.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/error.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

#include <array>
#include <memory>
#include <mutex>
#include <string>

namespace aim {

// Of a video: what its codecs and a picture in memory can bear.
inline constexpr int kMaxVideoSide = 16384;

struct LibavDeleter {
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
  void operator()(AVFormatContext* input) const { avformat_close_input(&input); }
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};
template <class T>
using LibavPtr = std::unique_ptr<T, LibavDeleter>;

inline std::string LibavErrorText(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return text.data();
}

// libav and x264 print to stderr by themselves; every failure reaches the caller as an error
// instead. The setting is the process's.
inline void SilenceLibav() {
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_level(AV_LOG_QUIET); });
}

}  // namespace aim
