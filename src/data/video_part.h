// Episodes that share a video file, as LeRobot's data sets have them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>

#include "aim/media/frame_reader.h"
#include "aim/media/video.h"

namespace aim {

// Frames [begin, end) of another reader's as a whole of its own, with times from 0.
class VideoPart : public FrameReader {
 public:
  VideoPart(std::unique_ptr<FrameReader> whole, int begin, int end);

  const VideoInfo& info() const override { return info_; }
  void VisitFrames(int begin, int end, int stride, const Visit& visit) override;

 private:
  std::unique_ptr<FrameReader> whole_;
  int begin_;
  VideoInfo info_;
};

// Video files that are run over once, however many episodes and threads read them. Thread-safe.
class VideoShelf {
 public:
  // What was found out about a file stays, 24 bytes a frame, until there are more frames than this:
  // 400 MB for 150 hours of video. Those that were not used for longest then go first.
  explicit VideoShelf(int64_t max_frames_kept = int64_t{1} << 24) : max_frames_(max_frames_kept) {}

  // A reader of one's own. Throws as VideoReader.
  std::unique_ptr<FrameReader> Open(const std::filesystem::path& path);

 private:
  struct Shelved {
    std::mutex mutex;  // held by who runs over the file
    std::shared_ptr<const VideoReader> reader;
    uint64_t last_use = 0;
  };
  void Count(const Shelved& newest);

  int64_t max_frames_;
  std::mutex mutex_;
  std::map<std::filesystem::path, std::shared_ptr<Shelved>> files_;
  int64_t num_frames_ = 0;  // of the readers
  uint64_t num_uses_ = 0;
};

}  // namespace aim
