#include "aim/media/file_names.h"

#include <algorithm>
#include <array>

namespace aim {

std::string LowerExtension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

bool IsHidden(const std::filesystem::path& path) {
  return path.filename().string().starts_with(".");
}

bool IsVideoName(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 5> kExtensions = {".mp4", ".mov", ".mkv", ".webm", ".avi"};
  const std::string extension = LowerExtension(path);
  return !IsHidden(path) &&
         std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

std::string_view VideoNames() { return "mp4, mov, mkv, webm or avi"; }

}  // namespace aim
