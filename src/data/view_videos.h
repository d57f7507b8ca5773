// The videos of an episode's views.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "aim/data/episode.h"
#include "aim/data/layout.h"
#include "aim/media/frame_reader.h"

namespace aim {

struct ViewFile {
  std::string name;  // of the view
  std::filesystem::path path;
};

// The frames of a view, opened.
struct ViewFrames {
  std::string name;  // of the view
  std::filesystem::path path;
  std::unique_ptr<FrameReader> frames;
};

// Is there a video <stem>.mp4, .mov, ... in the folder?
bool HasVideoNamed(const std::filesystem::path& folder, const std::string& stem);

// It, or the path of <stem>.mp4 if there is none. Throws InputError if there are several.
std::filesystem::path VideoNamed(const std::filesystem::path& folder, const std::string& stem);

// Writes the whole video of a view of `clip`.
void WriteViewVideo(const std::filesystem::path& path, const Clip& clip, size_t view,
                    const LayoutWriteOptions& options);

// All of them opened, none of them in memory.
class ViewVideos {
 public:
  // Throws InputError naming the file that is missing or has another size, length or times than the
  // first, FormatError for damaged bytes.
  explicit ViewVideos(const std::vector<ViewFile>& files);
  explicit ViewVideos(std::vector<ViewFrames> views);  // at least one

  int num_frames() const { return views_[0].frames->info().num_frames; }
  const std::vector<double>& times_s() const { return views_[0].frames->info().times_s; }

  // Only the views of these numbers stay, in this order.
  void Keep(const std::vector<size_t>& numbers);

  // Size, rate and names of the views; no pictures yet.
  Clip EmptyClip() const;

  // Frames begin, begin + stride, ... of `frames`, which lie within the videos, one view after the
  // other.
  using Visit = std::function<void(size_t view, int frame, std::span<const uint8_t> rgb)>;
  void VisitFrames(const FrameRange& frames, int stride, const Visit& visit);

  // The same of one view.
  void VisitView(size_t view, const FrameRange& frames, const FrameReader::Visit& visit);

 private:
  void CheckAgainstFirst(size_t view) const;

  std::vector<ViewFrames> views_;
};

}  // namespace aim
