// Who makes which episode, agreed between processes through the file system.
#pragma once

#include <filesystem>
#include <optional>
#include <utility>

namespace aim {

// Holds the exclusive right to write one folder while it lives. The right is an advisory lock
// (flock) on a hidden file beside the folder: the system drops it when the process dies, however
// it dies, so no claim is ever stale. Works between processes and between threads of one.
class EpisodeClaim {
 public:
  // Empty if someone else holds the claim. Removes what a killed owner left of the folder.
  static std::optional<EpisodeClaim> Take(const std::filesystem::path& folder);

  EpisodeClaim(EpisodeClaim&& other) noexcept
      : lock_path_(std::move(other.lock_path_)), fd_(std::exchange(other.fd_, -1)) {}
  EpisodeClaim& operator=(EpisodeClaim&&) = delete;
  ~EpisodeClaim();

 private:
  EpisodeClaim(std::filesystem::path lock_path, int fd)
      : lock_path_(std::move(lock_path)), fd_(fd) {}

  std::filesystem::path lock_path_;
  int fd_;
};

}  // namespace aim
