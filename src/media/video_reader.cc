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
      : Impl(path, std::make_shared<const Known>(Known{.table = ReadFrameTable(path)})) {
    Open();
    Known known = *known_;
    known.width = container_->stream().codecpar->width;
    known.height = container_->stream().codecpar->height;
    known.turn = container_->Turn();
    LookAtFirstFrame(known);
    CheckSize(known.width, known.height);
    known.info.format = {known.turn.transposed ? known.height : known.width,
                         known.turn.transposed ? known.width : known.height, known.table.fps};
    known.info.num_frames = known.table.num_frames;
    known.info.times_s = known.table.times_s;
    known_ = std::make_shared<const Known>(std::move(known));
  }

  // Of the same file, which is not looked at again.
  Impl(const Impl& other) : Impl(other.path_, other.known_) {}

  const VideoInfo& info() const { return known_->info; }

  void VisitFrames(int begin, int end, int stride, const Visit& visit) {
    AIM_CHECK(begin >= 0 && end > begin && end <= known_->info.num_frames && stride > 0);
    rgb_.resize(static_cast<size_t>(known_->width) * static_cast<size_t>(known_->height) * 3);
    for (int frame = begin; frame < end; frame += stride) {
      GoTo(frame);
      Convert(frame);
      visit(frame, rgb_);
    }
  }

 private:
  // What a run over the file tells, shared by all that read it.
  struct Known {
    FrameTable table;
    VideoInfo info = {};
    PictureTurn turn = {};
    int width = 0;  // before the turn
    int height = 0;
  };

  Impl(const std::filesystem::path& path, std::shared_ptr<const Known> known)
      : path_(path),
        known_(std::move(known)),
        packet_(av_packet_alloc()),
        frame_(av_frame_alloc()) {
    AIM_CHECK(packet_ != nullptr && frame_ != nullptr);
  }

  [[noreturn]] void Fail(const std::string& got) const { FailVideo(path_, got); }
  int next() const { return position_ ? *position_ + 1 : 0; }
  std::string Frames() const { return std::to_string(next()) + " frames"; }

  void CheckSize(int width, int height) const {
    if (width >= 1 && width <= kMaxVideoSide && height >= 1 && height <= kMaxVideoSide) return;
    Fail("a video of " + SizeText(width, height));
  }

  // Its size and the turn that it may bring count. If it is damaged, who reads it is told; ranges
  // behind it are sound.
  void LookAtFirstFrame(Known& known) {
    while (container_->Next(*packet_, 0) && avcodec_send_packet(codec_.get(), packet_.get()) >= 0) {
      av_packet_unref(packet_.get());
      const int code = avcodec_receive_frame(codec_.get(), frame_.get());
      if (code == AVERROR(EAGAIN)) continue;
      if (code < 0) break;
      known.turn = TurnOfFrame(*frame_).value_or(known.turn);
      known.width = frame_->width;
      known.height = frame_->height;
      LeaveOutFramesBefore(known.table.FrameAt(frame_->pts).value_or(0), known.table);
      break;
    }
    av_packet_unref(packet_.get());
    container_.reset();
    codec_.reset();
  }

  // Where a recording was trimmed between key frames, its first pictures refer to some that were
  // cut away; players leave them out.
  void LeaveOutFramesBefore(int first, FrameTable& table) const {
    if (first == 0) return;
    LogWarning(path_.string() + ": its first " + std::to_string(first) +
               " frames refer to pictures that were cut away; they are left out");
    table.num_frames -= first;
    table.pts.erase(table.pts.begin(), table.pts.begin() + first);
    table.times_s.erase(table.times_s.begin(), table.times_s.begin() + first);
    std::vector<KeyFrame> later;
    for (const KeyFrame& key : table.key_frames) {
      if (key.frame >= first) later.push_back({key.frame - first, key.dts});
    }
    table.key_frames = std::move(later);
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
        std::upper_bound(known_->table.key_frames.begin(), known_->table.key_frames.end(), frame,
                         [](int wanted, const KeyFrame& key) { return wanted < key.frame; });
    return after == known_->table.key_frames.begin() ? nullptr : &*std::prev(after);
  }

  // A file whose index leads elsewhere is decoded from its start. Some formats find key frames by
  // their time of showing, others by that of decoding.
  void JumpTo(const KeyFrame& key) {
    if (key.frame > 0) {
      for (const int64_t time : {known_->table.pts[static_cast<size_t>(key.frame)], key.dts}) {
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
    const std::optional<int> first = known_->table.FrameAt(packet_->pts);
    const auto is_first = [&](const KeyFrame& key) { return key.frame == *first; };
    const bool is_clean =
        first && *first <= last &&
        std::any_of(known_->table.key_frames.begin(), known_->table.key_frames.end(), is_first);
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
      const bool is_untimed = !known_->table.pts.empty() && frame_->pts == AV_NOPTS_VALUE;
      if (code >= 0 && is_untimed) continue;  // left out of the table
      if (code >= 0) return Number();
      if (code == AVERROR_EOF || (code == AVERROR(EAGAIN) && is_drained_)) {
        problem_ = "damaged: " + Frames() + " of " + std::to_string(known_->table.num_frames) +
                   " can be decoded";
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
        known_->table.pts.empty() ? std::optional(next()) : known_->table.FrameAt(frame_->pts);
    if (!number || *number < next() || *number >= known_->table.num_frames) {
      problem_ = "a video whose times do not fit its frames";
      return false;
    }
    position_ = number;
    return true;
  }

  void Convert(int frame) {
    if (frame_->width != known_->width || frame_->height != known_->height ||
        TurnOfFrame(*frame_).value_or(known_->turn) != known_->turn) {
      Fail("a video whose size changes at frame " + std::to_string(frame));
    }
    const std::string problem = pixels_.Convert(*frame_, known_->turn, rgb_.data());
    if (!problem.empty()) Fail(problem + " at frame " + std::to_string(frame));
  }

  std::filesystem::path path_;
  std::shared_ptr<const Known> known_;
  LibavPtr<AVPacket> packet_;
  LibavPtr<AVFrame> frame_;
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
VideoReader::VideoReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
VideoReader VideoReader::Another() const {
  return VideoReader(std::unique_ptr<Impl>(new Impl(*impl_)));
}

const VideoInfo& VideoReader::info() const { return impl_->info(); }

void VideoReader::VisitFrames(int begin, int end, int stride, const Visit& visit) {
  impl_->VisitFrames(begin, end, stride, visit);
}

void CheckPixelMemory(int64_t num_pictures, int width, int height, const std::string& where) {
  constexpr int64_t kMaxPixelBytes = int64_t{8} << 30;
  if (num_pictures <= kMaxPixelBytes / (int64_t{3} * width * height)) return;
  throw InputError({.where = where,
                    .got = "asked for " + std::to_string(num_pictures) + " pictures of " +
                           SizeText(width, height),
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
