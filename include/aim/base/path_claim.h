// Who makes which file or folder, agreed between processes through the file system.
#pragma once

#include <filesystem>
#include <optional>
#include <utility>

namespace aim {

// Holds the exclusive right to write one file or folder while it lives. The right is an advisory
// lock (flock) on a hidden file beside it: the system drops it when the process dies, however it
// dies, so no claim is ever stale. Works between processes and between threads of one.
class PathClaim {
 public:
  // Empty if someone else holds the claim. Removes what a killed owner left of the path.
  static std::optional<PathClaim> Take(const std::filesystem::path& path);

  // The same, once whoever holds it lets go.
  static PathClaim Wait(const std::filesystem::path& path);

  // The hidden lock file of a claim on `path`.
  static std::filesystem::path LockPath(const std::filesystem::path& path);

  PathClaim(PathClaim&& other) noexcept
      : lock_path_(std::move(other.lock_path_)), fd_(std::exchange(other.fd_, -1)) {}
  PathClaim& operator=(PathClaim&&) = delete;
  ~PathClaim();

 private:
  PathClaim(std::filesystem::path lock_path, int fd) : lock_path_(std::move(lock_path)), fd_(fd) {}

  std::filesystem::path lock_path_;
  int fd_;
};

}  // namespace aim
