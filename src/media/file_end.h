// Is a video file whole? Decoders do not mind a missing end; a copy or recording that stopped early
// is damaged all the same.
#pragma once

#include <filesystem>

namespace aim {

enum class FileEnd {
  kWhole,     // all that is announced is there; bytes of others may follow
  kCut,       // something that is announced is not
  kUnmarked,  // nothing says how long it is: recorded live, or its writer did not come to an end
};

// Of an mp4/mov (ISO 14496-12, boxes), Matroska/WebM (RFC 8794, elements) or AVI file (chunks), by
// its own table of contents alone. The file must exist.
FileEnd FindFileEnd(const std::filesystem::path& path);

}  // namespace aim
