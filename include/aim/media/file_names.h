// What the names of picture and video files say.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace aim {

// ".mp4" of "View0.MP4".
std::string LowerExtension(const std::filesystem::path& path);

// A dot in front: what is being written, ".DS_Store", what macOS leaves beside every file on other
// disks ("._view0.mp4").
bool IsHidden(const std::filesystem::path& path);

// A video that can be read: .mp4, .mov, .mkv, .webm or .avi, in capitals or not, not hidden.
bool IsVideoName(const std::filesystem::path& path);

// The names, for sentences: "mp4, mov, mkv, webm or avi".
std::string_view VideoNames();

}  // namespace aim
