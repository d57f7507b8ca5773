// The left picture of a stereo camera's video.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "aim/media/frame_reader.h"

namespace aim {

class LeftHalf : public FrameReader {
 public:
  // `both` are two pictures of one size side by side. Throws InputError naming `path` for an odd
  // width.
  LeftHalf(std::unique_ptr<FrameReader> both, const std::filesystem::path& path);

  const VideoInfo& info() const override { return info_; }
  void VisitFrames(int begin, int end, int stride, const Visit& visit) override;

 private:
  std::unique_ptr<FrameReader> both_;
  VideoInfo info_;
  std::vector<uint8_t> left_;
};

}  // namespace aim
