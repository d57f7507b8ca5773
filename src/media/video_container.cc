#include "media/video_container.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/media/frame_times.h"
#include "media/file_end.h"

namespace aim {
namespace {

const int32_t* DisplayMatrix(const AVStream& stream) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
  const AVPacketSideData* data =
      av_packet_side_data_get(stream.codecpar->coded_side_data, stream.codecpar->nb_coded_side_data,
                              AV_PKT_DATA_DISPLAYMATRIX);
  return data == nullptr ? nullptr : reinterpret_cast<const int32_t*>(data->data);
#else
  return reinterpret_cast<const int32_t*>(
      av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr));
#endif
}

// VP8 keeps pictures for reference alone in packets of their own (RFC 6386 9.1).
bool IsHidden(const AVPacket& packet, const AVStream& stream) {
  if ((packet.flags & AV_PKT_FLAG_DISCARD) != 0) return true;  // outside an edit list
  return stream.codecpar->codec_id == AV_CODEC_ID_VP8 && (packet.data[0] & 0x10) == 0;
}

struct Packet {
  int64_t pts = AV_NOPTS_VALUE;
  int64_t dts = AV_NOPTS_VALUE;
  int64_t duration = 0;
  bool is_key = false;
};

struct Packets {
  std::vector<Packet> shown;
  int64_t count = 0;  // hidden ones too
};

Packets ReadPackets(VideoContainer& container) {
  LibavPtr<AVPacket> packet(av_packet_alloc());
  AIM_CHECK(packet != nullptr);
  Packets packets;
  while (container.Next(*packet, static_cast<int64_t>(packets.shown.size()))) {
    ++packets.count;
    if (!IsHidden(*packet, container.stream())) {
      packets.shown.push_back({.pts = packet->pts,
                               .dts = packet->dts,
                               .duration = packet->duration,
                               .is_key = (packet->flags & AV_PKT_FLAG_KEY) != 0});
    }
    av_packet_unref(packet.get());
  }
  return packets;
}

// Where a recording was trimmed between key frames, pictures before the new start have no time of
// showing and refer to pictures that were cut away; players leave them out. AVI has such times for
// none or for few.
void LeaveOutUntimed(const std::filesystem::path& path, std::vector<Packet>& packets) {
  const auto is_untimed = [](const Packet& packet) { return packet.pts == AV_NOPTS_VALUE; };
  const auto count = std::count_if(packets.begin(), packets.end(), is_untimed);
  if (count == 0 || count == std::ssize(packets)) return;
  LogWarning(path.string() + ": " + std::to_string(count) +
             " frames have no time and are left out, as in players");
  std::erase_if(packets, is_untimed);
}

// Rising; empty if one is unknown or two are the same.
std::vector<int64_t> TimesOfShowing(const std::vector<Packet>& packets) {
  std::vector<int64_t> pts;
  for (const Packet& packet : packets) {
    if (packet.pts == AV_NOPTS_VALUE) return {};
    pts.push_back(packet.pts);
  }
  std::sort(pts.begin(), pts.end());
  if (std::adjacent_find(pts.begin(), pts.end()) != pts.end()) return {};
  return pts;
}

// Those behind which nothing is shown that was shown before them.
std::vector<KeyFrame> CleanKeyFrames(const std::vector<Packet>& packets, const FrameTable& table) {
  std::vector<KeyFrame> keys;
  int64_t least_pts = std::numeric_limits<int64_t>::max();
  for (size_t i = packets.size(); i > 0; --i) {
    const Packet& packet = packets[i - 1];
    if (packet.is_key && packet.pts < least_pts && packet.dts != AV_NOPTS_VALUE) {
      keys.push_back({*table.FrameAt(packet.pts), packet.dts});
    }
    least_pts = std::min(least_pts, packet.pts);
  }
  std::reverse(keys.begin(), keys.end());
  return keys;
}

std::string Frames(int64_t count) {
  return std::to_string(count) + (count == 1 ? " frame" : " frames");
}

// AVI promises its length in frames, empty ones among them: the last one's number tells.
int64_t FramesInAvi(const std::vector<Packet>& packets) {
  int64_t count = 0;
  for (const Packet& packet : packets) {
    if (packet.dts != AV_NOPTS_VALUE) count = std::max(count, packet.dts + 1);
  }
  return count;
}

void CheckWhole(const std::filesystem::path& path, const VideoContainer& container,
                const Packets& packets, int64_t promised) {
  const int64_t found = container.is_avi() ? FramesInAvi(packets.shown) : packets.count;
  if (found < promised) {
    FailVideo(path, "cut off after " + std::to_string(found) + " of " + Frames(promised));
  }
  switch (FindFileEnd(path)) {
    case FileEnd::kWhole:
      return;
    case FileEnd::kCut:
      FailVideo(path, "cut off after " + Frames(packets.count));
    case FileEnd::kUnmarked:
      LogWarning(path.string() + " does not say where it ends (recorded live, or cut short): the " +
                 Frames(packets.count) + " that are there are taken for the whole");
  }
}

}  // namespace

void FailVideo(const std::filesystem::path& path, const std::string& got) {
  throw FormatError({.where = path.string(),
                     .got = got,
                     .expected = "a whole video (mp4, mov, mkv, webm or avi)",
                     .fix = "write or copy the file again"});
}

VideoContainer::VideoContainer(const std::filesystem::path& path) : path_(path) {
  SilenceLibav();
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
  AVFormatContext* container = nullptr;
  const int code =
      avformat_open_input(&container, ("file:" + path_.string()).c_str(), nullptr, &settings);
  container_.reset(container);
  av_dict_free(&settings);
  if (code < 0) FailVideo(path_, "no readable video (" + LibavErrorText(code) + ")");
  if (avformat_find_stream_info(container, nullptr) < 0) {
    FailVideo(path_, "no readable video stream");
  }
  const int index = av_find_best_stream(container, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder_, 0);
  if (index < 0 || decoder_ == nullptr) {
    FailVideo(path_, "without a video stream that can be decoded");
  }
  stream_ = container->streams[index];
}

bool VideoContainer::is_avi() const { return std::strcmp(container_->iformat->name, "avi") == 0; }

double VideoContainer::DeclaredRate() const {
  const AVRational rate =
      stream_->avg_frame_rate.num > 0 ? stream_->avg_frame_rate : stream_->r_frame_rate;
  return rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
}

// The index of mp4 is complete from the start (that of fragments grows), and AVI's header has the
// number of frames; that of Matroska grows while reading.
int64_t VideoContainer::DeclaredPackets() const {
  if (is_avi()) return stream_->nb_frames;
  const bool is_mp4 = std::strstr(container_->iformat->name, "mp4") != nullptr;
  return is_mp4 ? avformat_index_get_entries_count(stream_) : 0;
}

PictureTurn VideoContainer::Turn() const {
  PictureTurn turn;
  if (!TurnFromMatrix(DisplayMatrix(*stream_), turn)) {
    FailVideo(path_, "a video to be shown turned by less than a quarter turn");
  }
  return turn;
}

bool VideoContainer::Next(AVPacket& packet, int64_t frames_read) {
  for (;;) {
    const int code = av_read_frame(container_.get(), &packet);
    if (code == AVERROR_EOF) {
      // Some demuxers end where they cannot read on.
      if (container_->pb != nullptr && container_->pb->error < 0) {
        FailVideo(path_, "unreadable after " + Frames(frames_read) + " (" +
                             LibavErrorText(container_->pb->error) + ")");
      }
      return false;
    }
    if (code < 0) {
      FailVideo(path_,
                "unreadable after " + Frames(frames_read) + " (" + LibavErrorText(code) + ")");
    }
    if (packet.stream_index == stream_->index && packet.size > 0) {
      if ((packet.flags & AV_PKT_FLAG_CORRUPT) != 0) {
        FailVideo(path_, "cut off after " + Frames(frames_read));
      }
      return true;
    }
    av_packet_unref(&packet);
  }
}

bool VideoContainer::Seek(int64_t dts) {
  return av_seek_frame(container_.get(), stream_->index, dts, AVSEEK_FLAG_BACKWARD) >= 0;
}

std::optional<int> FrameTable::FrameAt(int64_t frame_pts) const {
  const auto found = std::lower_bound(pts.begin(), pts.end(), frame_pts);
  if (found == pts.end() || *found != frame_pts) return std::nullopt;
  return static_cast<int>(found - pts.begin());
}

FrameTable ReadFrameTable(const std::filesystem::path& path) {
  VideoContainer container(path);
  const int64_t promised = container.DeclaredPackets();
  Packets packets = ReadPackets(container);
  CheckWhole(path, container, packets, promised);
  if (!container.is_avi()) LeaveOutUntimed(path, packets.shown);
  if (packets.shown.empty()) FailVideo(path, "a video without frames");
  if (packets.shown.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    FailVideo(path, "a video of " + std::to_string(packets.shown.size()) + " frames");
  }
  FrameTable table;
  table.num_frames = static_cast<int>(packets.shown.size());
  table.pts = TimesOfShowing(packets.shown);
  const double tick_s = av_q2d(container.stream().time_base);
  for (const int64_t pts : table.pts) table.times_s.push_back(static_cast<double>(pts) * tick_s);
  table.fps = FrameRateOf(table.times_s, container.DeclaredRate());
  if (!(table.fps > 0)) FailVideo(path, "without a frame rate");
  if (table.pts.empty()) {
    for (int k = 0; k < table.num_frames; ++k) table.times_s.push_back(k / table.fps);
  } else {
    table.key_frames = CleanKeyFrames(packets.shown, table);
  }
  return table;
}

}  // namespace aim
