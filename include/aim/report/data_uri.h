// Files that a page holds inside itself, so that it can be sent alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

namespace aim {

// "data:image/png;base64,..." of these bytes.
std::string DataUri(std::string_view media_type, std::string_view bytes);

// The same of a PNG or JPEG picture or an MP4 video, known by its extension. Throws InputError if
// it cannot be read.
std::string DataUri(const std::filesystem::path& file);

// Videos as the template "videos" shows them: each is played on the page if it has at most 1 MiB
// and all before it on the page leave room (16 MiB), else linked, and named if it is gone.
class PageVideos {
 public:
  // `folder` is that of the page.
  explicit PageVideos(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // A list of values, one a video; `files` are relative to the folder.
  nlohmann::json Values(std::span<const std::string> files);

 private:
  std::filesystem::path folder_;
  uintmax_t embedded_bytes_ = 0;
};

}  // namespace aim
