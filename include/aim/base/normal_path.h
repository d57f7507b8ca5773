// Paths as people type them.
#pragma once

#include <filesystem>

namespace aim {

// Absolute, without ".", ".." and a slash at its end; "" stays what it is.
inline std::filesystem::path NormalPath(const std::filesystem::path& path) {
  if (path.empty()) return path;
  const std::filesystem::path normal = std::filesystem::absolute(path).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

}  // namespace aim
