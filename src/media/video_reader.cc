#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/text.h"
#include "aim/media/video.h"
#include "media/frame_pixels.h"
#include "media/libav.h"
#include "media/video_container.h"

namespace aim {
namespace {

constexpr int kWorthAJump = 16;  // frames; fewer are sooner decoded

// The frame's own display matrix (from the pictures' stream) goes before the file's.
std::optional<PictureTurn> TurnOfFrame(const AVFrame& frame) {
  const AVFrameSideData* data = av_frame_get_side_data(&frame, AV_FRAME_DATA_DISPLAYMATRIX);
  PictureTurn turn;
  if (data == nullptr) return std::nullopt;
  if (!TurnFromMatrix(reinterpret_cast<const int32_t*>(data->data), turn)) return std::nullopt;
  return turn;
}

LibavPtr<AVCodecContext> OpenDecoder(const std::filesystem::path& path,
                                     const VideoContainer& container) {
  LibavPtr<AVCodecContext> codec(avcodec_alloc_context3(&container.decoder()));
  AIM_CHECK(codec != nullptr);
  if (avcodec_parameters_to_context(codec.get(), container.stream().codecpar) < 0) {
    FailVideo(path, "a video stream with bad parameters");
  }
  codec->thread_count = 1;
  codec->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
  if (avcodec_open2(codec.get(), &container.decoder(), nullptr) < 0) {
    FailVideo(path, "a video of an unknown codec");
  }
  return codec;
}

}  // namespace

class VideoReader::Impl {
 public:
  explicit Impl(const std::filesystem::path& path)
      : path_(path), packet_(av_packet_alloc()), frame_(av_frame_alloc()) {
    AIM_CHECK(packet_ != nullptr && frame_ != nullptr);
    table_ = ReadFrameTable(path_);
    Open();
    width_ = container_->stream().codecpar->width;
    height_ = container_->stream().codecpar->height;
    turn_ = container_->Turn();
    LookAtFirstFrame();
    CheckSize(width_, height_);
    info_.format = {turn_.transposed ? height_ : width_, turn_.transposed ? width_ : height_,
                    table_.fps};
    info_.num_frames = table_.num_frames;
    info_.times_s = table_.times_s;
  }

  const VideoInfo& info() const { return info_; }

  void VisitFrames(int begin, int end, int stride, const Visit& visit) {
    AIM_CHECK(begin >= 0 && end > begin && end <= info_.num_frames && stride > 0);
    rgb_.resize(static_cast<size_t>(width_) * static_cast<size_t>(height_) * 3);
    for (int frame = begin; frame < end; frame += stride) {
      GoTo(frame);
      Convert(frame);
      visit(frame, rgb_);
    }
  }

 private:
  [[noreturn]] void Fail(const std::string& got) const { FailVideo(path_, got); }
  int next() const { return position_ ? *position_ + 1 : 0; }
  std::string Frames() const { return std::to_string(next()) + " frames"; }

  void CheckSize(int width, int height) const {
    if (width >= 1 && width <= kMaxVideoSide && height >= 1 && height <= kMaxVideoSide) return;
    Fail("a video of " + SizeText(width, height));
  }

  // Its size and the turn that it may bring count. If it is damaged, who reads it is told; ranges
  // behind it are sound.
  void LookAtFirstFrame() {
    while (container_->Next(*packet_, 0) && avcodec_send_packet(codec_.get(), packet_.get()) >= 0) {
      av_packet_unref(packet_.get());
      const int code = avcodec_receive_frame(codec_.get(), frame_.get());
      if (code == AVERROR(EAGAIN)) continue;
      if (code < 0) break;
      turn_ = TurnOfFrame(*frame_).value_or(turn_);
      width_ = frame_->width;
      height_ = frame_->height;
      LeaveOutFramesBefore(table_.FrameAt(frame_->pts).value_or(0));
      break;
    }
    av_packet_unref(packet_.get());
    container_.reset();
  }

  // Where a recording was trimmed between key frames, its first pictures refer to some that were
  // cut away; players leave them out.
  void LeaveOutFramesBefore(int first) {
    if (first == 0) return;
    LogWarning(path_.string() + ": its first " + std::to_string(first) +
               " frames refer to pictures that were cut away; they are left out");
    table_.num_frames -= first;
    table_.pts.erase(table_.pts.begin(), table_.pts.begin() + first);
    table_.times_s.erase(table_.times_s.begin(), table_.times_s.begin() + first);
    std::vector<KeyFrame> later;
    for (const KeyFrame& key : table_.key_frames) {
      if (key.frame >= first) later.push_back({key.frame - first, key.dts});
    }
    table_.key_frames = std::move(later);
  }

  // Starts again from the file's first frame.
  void Open() {
    container_.emplace(path_);
    codec_ = OpenDecoder(path_, *container_);
    position_.reset();
    is_drained_ = false;
    has_jumped_ = false;
  }

  // Makes frame_ the frame of this number.
  void GoTo(int frame) {
    if (!container_) Open();
    if (position_ && *position_ == frame) return;
    const KeyFrame* key = LastKeyFrameUpTo(frame);
    const bool is_behind = position_ && *position_ > frame;
    const int near = position_ ? kWorthAJump : 0;
    const bool is_far = key != nullptr && key->frame > next() + near;
    if (key != nullptr && (is_behind || is_far)) {
      JumpTo(*key);
    } else if (is_behind) {
      Open();
    }
    while (!position_ || *position_ < frame) {
      if (Receive()) continue;
      // What is no key frame to the decoder, though the file says so, is decoded from the start.
      if (!has_jumped_) Fail(problem_);
      can_jump_ = false;
      Open();
    }
    if (*position_ != frame) Fail("damaged: frame " + std::to_string(frame) + " cannot be decoded");
  }

  const KeyFrame* LastKeyFrameUpTo(int frame) const {
    if (!can_jump_) return nullptr;
    const auto after =
        std::upper_bound(table_.key_frames.begin(), table_.key_frames.end(), frame,
                         [](int wanted, const KeyFrame& key) { return wanted < key.frame; });
    return after == table_.key_frames.begin() ? nullptr : &*std::prev(after);
  }

  // A file whose index leads elsewhere is decoded from its start. Some formats find key frames by
  // their time of showing, others by that of decoding.
  void JumpTo(const KeyFrame& key) {
    if (key.frame > 0) {
      for (const int64_t time : {table_.pts[static_cast<size_t>(key.frame)], key.dts}) {
        if (StartsAtKeyFrame(time, key.frame)) return;
      }
      can_jump_ = false;
    }
    Open();
  }

  // Seeks, and decodes the key frame that is found there if all up to `last` follow from it.
  bool StartsAtKeyFrame(int64_t time, int last) {
    if (!container_->Seek(time)) return false;
    avcodec_flush_buffers(codec_.get());
    is_drained_ = false;
    if (!container_->Next(*packet_, last)) return false;
    const std::optional<int> first = table_.FrameAt(packet_->pts);
    const auto is_first = [&](const KeyFrame& key) { return key.frame == *first; };
    const bool is_clean = first && *first <= last &&
                          std::any_of(table_.key_frames.begin(), table_.key_frames.end(), is_first);
    const bool is_sent = is_clean && Send(packet_.get());
    av_packet_unref(packet_.get());
    if (!is_sent) return false;
    position_ = *first - 1;
    has_jumped_ = true;
    return Receive() && *position_ == *first;
  }

  // Decodes the next frame into frame_. If there is none, problem_ says why.
  bool Receive() {
    for (;;) {
      const int code = avcodec_receive_frame(codec_.get(), frame_.get());
      const bool is_untimed = !table_.pts.empty() && frame_->pts == AV_NOPTS_VALUE;
      if (code >= 0 && is_untimed) continue;  // left out of the table
      if (code >= 0) return Number();
      if (code == AVERROR_EOF || (code == AVERROR(EAGAIN) && is_drained_)) {
        problem_ =
            "damaged: " + Frames() + " of " + std::to_string(table_.num_frames) + " can be decoded";
        return false;
      }
      if (code != AVERROR(EAGAIN)) return IsDecoded(code);
      is_drained_ = !container_->Next(*packet_, next());
      // No packet asks for the frames that the decoder still holds.
      const bool is_sent = Send(is_drained_ ? nullptr : packet_.get());
      av_packet_unref(packet_.get());
      if (!is_sent) return false;
    }
  }

  bool Send(const AVPacket* packet) { return IsDecoded(avcodec_send_packet(codec_.get(), packet)); }

  bool IsDecoded(int code) {
    if (code < 0) problem_ = "damaged after " + Frames() + " (" + LibavErrorText(code) + ")";
    return code >= 0;
  }

  // Numbers are told by the times of showing where the file has them.
  bool Number() {
    if (frame_->decode_error_flags != 0 || (frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0) {
      problem_ = "damaged in frame " + std::to_string(next());
      return false;
    }
    const std::optional<int> number =
        table_.pts.empty() ? std::optional(next()) : table_.FrameAt(frame_->pts);
    if (!number || *number < next() || *number >= table_.num_frames) {
      problem_ = "a video whose times do not fit its frames";
      return false;
    }
    position_ = number;
    return true;
  }

  void Convert(int frame) {
    if (frame_->width != width_ || frame_->height != height_ ||
        TurnOfFrame(*frame_).value_or(turn_) != turn_) {
      Fail("a video whose size changes at frame " + std::to_string(frame));
    }
    const std::string problem = pixels_.Convert(*frame_, turn_, rgb_.data());
    if (!problem.empty()) Fail(problem + " at frame " + std::to_string(frame));
  }

  std::filesystem::path path_;
  LibavPtr<AVPacket> packet_;
  LibavPtr<AVFrame> frame_;
  FrameTable table_;
  VideoInfo info_;
  PictureTurn turn_;
  int width_ = 0;  // before the turn
  int height_ = 0;
  std::optional<VideoContainer> container_;
  LibavPtr<AVCodecContext> codec_;
  std::optional<int> position_;  // number of the frame in frame_
  bool is_drained_ = false;
  bool has_jumped_ = false;  // since the file was opened
  bool can_jump_ = true;
  std::string problem_;
  FramePixels pixels_;
  std::vector<uint8_t> rgb_;
};

VideoReader::VideoReader(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}
VideoReader::~VideoReader() = default;
VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader& VideoReader::operator=(VideoReader&&) noexcept = default;

const VideoInfo& VideoReader::info() const { return impl_->info(); }

void VideoReader::VisitFrames(int begin, int end, int stride, const Visit& visit) {
  impl_->VisitFrames(begin, end, stride, visit);
}

void CheckPixelMemory(int64_t num_pictures, int width, int height, const std::string& where) {
  constexpr int64_t kMaxPixelBytes = int64_t{8} << 30;
  if (num_pictures <= kMaxPixelBytes / (int64_t{3} * width * height)) return;
  throw InputError({.where = where,
                    .got = std::to_string(num_pictures) + " pictures of " + SizeText(width, height),
                    .expected = "at most 8 GiB of pixels at once",
                    .fix = "cut it into shorter videos, or make them smaller"});
}

Video ReadVideoFrames(const std::filesystem::path& path, int begin, int end) {
  AIM_CHECK(begin >= 0 && end > begin);
  VideoReader reader(path);
  const VideoInfo& info = reader.info();
  if (begin >= info.num_frames) {
    FailVideo(path, "a video of " + std::to_string(info.num_frames) + " frames");
  }
  end = std::min(end, info.num_frames);
  Video video{.format = info.format, .num_frames = end - begin, .times_s = {}, .rgb = {}};
  video.times_s.assign(info.times_s.begin() + begin, info.times_s.begin() + end);
  CheckPixelMemory(video.num_frames, info.format.width, info.format.height, path.string());
  video.rgb.reserve(video.frame_bytes() * static_cast<size_t>(video.num_frames));
  reader.VisitFrames(begin, end, 1, [&video](int, std::span<const uint8_t> rgb) {
    video.rgb.insert(video.rgb.end(), rgb.begin(), rgb.end());
  });
  return video;
}

Video ReadVideo(const std::filesystem::path& path, int max_frames) {
  AIM_CHECK(max_frames > 0);
  return ReadVideoFrames(path, 0, max_frames);
}

VideoInfo ProbeVideo(const std::filesystem::path& path) { return VideoReader(path).info(); }

}  // namespace aim
