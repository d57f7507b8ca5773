// Plain clips in folders: what a person who has robot videos can lay out by hand.
//
//   <root>/<name>/view0.mp4, view1.mp4, ...   one size, one length
//   <root>/<name>/cameras.json                aim-cameras-1, one camera a view (or one a frame)
//   <root>/<name>/prompt.txt                  instruction, first line (optional)
//   <root>/<name>/poses.csv                   a row a frame, or frame 0 alone (optional)
#pragma once

#include <filesystem>
#include <vector>

#include "aim/data/episode.h"

namespace aim {

// Sub-folders of `root` that hold a view0.mp4, by name; `root` itself if it holds one.
std::vector<std::filesystem::path> ListClipFolders(const std::filesystem::path& root);

// `clip.poses` holds as many poses as poses.csv has rows: one a frame, the first alone, or none.
// Throws InputError naming the file: missing cameras, views of different sizes or lengths, numbers
// of cameras or poses that do not match; FormatError for damaged bytes.
Episode ReadClipFolder(const std::filesystem::path& path);

}  // namespace aim
