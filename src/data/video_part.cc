#include "data/video_part.h"

#include <algorithm>
#include <utility>

#include "aim/base/error.h"

namespace aim {

VideoPart::VideoPart(std::unique_ptr<FrameReader> whole, int begin, int end)
    : whole_(std::move(whole)), begin_(begin) {
  const VideoInfo& info = whole_->info();
  AIM_CHECK(begin >= 0 && begin < end && end <= info.num_frames);
  info_.format = info.format;
  info_.num_frames = end - begin;
  for (int frame = begin; frame < end; ++frame) {
    info_.times_s.push_back(info.times_s[static_cast<size_t>(frame)] -
                            info.times_s[static_cast<size_t>(begin)]);
  }
}

void VideoPart::VisitFrames(int begin, int end, int stride, const Visit& visit) {
  AIM_CHECK(begin >= 0 && end > begin && end <= info_.num_frames);
  whole_->VisitFrames(begin_ + begin, begin_ + end, stride,
                      [&](int frame, std::span<const uint8_t> rgb) { visit(frame - begin_, rgb); });
}

std::unique_ptr<FrameReader> VideoShelf::Open(const std::filesystem::path& path) {
  std::shared_ptr<Shelved> file;
  {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Shelved>& place = files_[path];
    if (place == nullptr) place = std::make_shared<Shelved>();
    place->last_use = ++num_uses_;
    file = place;
  }
  const std::lock_guard lock(file->mutex);
  if (file->reader == nullptr) {
    file->reader = std::make_shared<const VideoReader>(path);
    Count(*file);
  }
  return std::make_unique<VideoReader>(file->reader->Another());
}

// One that is being run over was not counted yet.
void VideoShelf::Count(const Shelved& newest) {
  const std::lock_guard lock(mutex_);
  num_frames_ += newest.reader->info().num_frames;
  while (num_frames_ > max_frames_) {
    auto oldest = files_.end();
    for (auto file = files_.begin(); file != files_.end(); ++file) {
      if (file->second.get() == &newest || !file->second->mutex.try_lock()) continue;
      const bool is_counted = file->second->reader != nullptr;
      file->second->mutex.unlock();
      const bool is_older =
          oldest == files_.end() || file->second->last_use < oldest->second->last_use;
      if (is_counted && is_older) oldest = file;
    }
    if (oldest == files_.end()) return;
    num_frames_ -= oldest->second->reader->info().num_frames;
    files_.erase(oldest);
  }
}

}  // namespace aim
