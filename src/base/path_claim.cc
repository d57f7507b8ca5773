#include "aim/base/path_claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void ThrowIo(const fs::path& path, const std::string& doing) {
  throw IoError({.where = path.string(),
                 .got = "not usable (" + doing + ": " + std::strerror(errno) + ")",
                 .expected = "a file that can be made and locked",
                 .fix = "check the folder's permissions and file system"});
}

// The lock file is removed by its owner: a lock on a file that has lost its name protects nothing.
bool HasItsName(int fd, const fs::path& path) {
  struct stat open_file {};
  struct stat named {};
  if (::fstat(fd, &open_file) != 0) ThrowIo(path, "fstat");
  if (::stat(path.c_str(), &named) != 0) return false;
  return open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

}  // namespace

fs::path PathClaim::LockPath(const fs::path& path) {
  return path.parent_path() / ("." + path.filename().string() + ".lock");
}

std::optional<PathClaim> PathClaim::Take(const fs::path& path) {
  if (path.has_parent_path()) {
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (error) ThrowNotWritable(path.string(), path.parent_path().string(), error);
  }
  const fs::path lock_path = LockPath(path);
  for (;;) {
    // A lock file that is there already was left by a killed owner, unless it is still locked.
    int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    const bool was_there = fd < 0 && errno == EEXIST;
    if (was_there) {
      fd = ::open(lock_path.c_str(), O_RDWR | O_CLOEXEC);
      if (fd < 0 && errno == ENOENT) continue;  // just removed by its owner
    }
    if (fd < 0) {
      ThrowNotWritable(path.string(), lock_path.string(), {errno, std::generic_category()});
    }
    PathClaim claim({}, fd);  // not ours to remove until it is locked and still has its name
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) ThrowIo(lock_path, "flock");
      return std::nullopt;
    }
    if (HasItsName(fd, lock_path)) {
      claim.lock_path_ = lock_path;
      if (was_there) RemoveTemporaries(path);
      return claim;
    }
  }
}

PathClaim PathClaim::Wait(const fs::path& path) {
  for (;;) {
    if (std::optional<PathClaim> claim = Take(path)) return std::move(*claim);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

PathClaim::~PathClaim() {
  if (fd_ < 0) return;
  if (!lock_path_.empty()) ::unlink(lock_path_.c_str());
  ::close(fd_);
}

}  // namespace aim
