// The videos of an episode's views.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "aim/data/episode.h"
#include "aim/media/video.h"

namespace aim {

struct ViewFile {
  std::string name;  // of the view
  std::filesystem::path path;
};

// Looks at all of them before a frame of a range is decoded.
class ViewVideos {
 public:
  // With `whole` every video is decoded at once, otherwise each is only probed. Throws InputError
  // naming the file that is missing or has another size or length than the first, FormatError for
  // damaged bytes.
  ViewVideos(std::vector<ViewFile> files, bool whole);

  EpisodeShape Shape() const;

  // Size, rate and names of the views; no pictures yet.
  Clip EmptyClip() const;

  // Moves the pictures of the frames into the clip's views. To be called once.
  void FillPictures(const FrameRange& frames, Clip& clip);

 private:
  void CheckAgainstFirst(size_t view) const;

  std::vector<ViewFile> files_;
  std::vector<Video> videos_;  // `rgb` is empty if it was only probed
};

}  // namespace aim
