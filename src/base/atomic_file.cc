#include "aim/base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <system_error>
#include <vector>

#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void ThrowIo(const fs::path& path, const std::string& doing, int error) {
  const std::string fix = error == ENOSPC || error == EDQUOT || error == EFBIG
                              ? "free space on the disk or choose another --out"
                              : "check the path and its permissions";
  throw IoError({path.string(), "not writable (" + doing + ": " + std::strerror(error) + ")",
                 "a place that can be written", fix});
}

class FileDescriptor {
 public:
  FileDescriptor(const fs::path& path, int flags, mode_t mode = 0)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
    if (fd_ < 0) ThrowIo(path, "open", errno);
  }
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return fd_; }
  // Network file systems report a failed write only here.
  void Close(const fs::path& path) {
    const int result = ::close(fd_);
    fd_ = -1;
    if (result != 0) ThrowIo(path, "close", errno);
  }

 private:
  int fd_;
};

void SyncFile(const fs::path& path) {
  FileDescriptor file(path, O_RDONLY);
  if (::fsync(file.get()) != 0) ThrowIo(path, "fsync", errno);
  file.Close(path);
}

// Some file systems cannot sync a folder and say EINVAL; the rename is then as good as it gets.
void SyncFolder(const fs::path& path) {
  FileDescriptor folder(path, O_RDONLY | O_DIRECTORY);
  if (::fsync(folder.get()) != 0 && errno != EINVAL) ThrowIo(path, "fsync", errno);
}

fs::path ParentOf(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

void MakeFolders(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) ThrowIo(folder, "mkdir", error.value());
}

std::string TemporaryPrefix(const fs::path& path) { return "." + path.stem().string() + ".tmp-"; }

// Removes the temporary file or folder unless it was renamed into place.
class Temporary {
 public:
  explicit Temporary(const fs::path& path) : path_(path) {}
  ~Temporary() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(path_, ignored);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  void Keep() { kept_ = true; }

 private:
  fs::path path_;
  bool kept_ = false;
};

void Rename(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) ThrowIo(to, "rename", errno);
}

void WriteBytes(const fs::path& path, std::string_view bytes) {
  FileDescriptor file(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      ThrowIo(path, "write", errno);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  file.Close(path);
}

void SyncTree(const fs::path& root) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    if (entry.is_directory()) SyncFolder(entry.path());
    if (entry.is_regular_file()) SyncFile(entry.path());
  }
  SyncFolder(root);
}

}  // namespace

fs::path TemporaryPath(const fs::path& path) {
  // Process numbers alone repeat: every container has a process 1.
  static const uint64_t process = (uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  static std::atomic<uint64_t> counter{0};
  const std::string unique =
      std::to_string(::getpid()) + "-" + HexText(process + counter.fetch_add(1));
  return ParentOf(path) / (TemporaryPrefix(path) + unique + path.extension().string());
}

void RemoveTemporaries(const fs::path& path) {
  const std::string prefix = TemporaryPrefix(path);
  std::vector<fs::path> leftovers;
  for (const fs::directory_entry& entry : fs::directory_iterator(ParentOf(path))) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    const fs::path rest = name.substr(prefix.size());
    if (rest.extension() == path.extension()) leftovers.push_back(entry.path());
  }
  for (const fs::path& leftover : leftovers) fs::remove_all(leftover);
}

// Swaps the new folder with the old one in one step where the file system can.
void ReplaceFolderAtomic(const fs::path& temporary, const fs::path& path) {
  if (!fs::exists(path)) {
    Rename(temporary, path);
    return;
  }
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) {
    fs::remove_all(temporary);
    return;
  }
  const fs::path old = TemporaryPath(path);
  Rename(path, old);
  Rename(temporary, path);
  fs::remove_all(old);
}

void WriteFileAtomic(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  MakeFolders(ParentOf(path));
  const fs::path temporary_path = TemporaryPath(path);
  Temporary temporary(temporary_path);
  write(temporary_path);
  SyncFile(temporary_path);
  Rename(temporary_path, path);
  temporary.Keep();
  SyncFolder(ParentOf(path));
}

void WriteFileAtomic(const fs::path& path, std::string_view bytes) {
  WriteFileAtomic(path, [&](const fs::path& temporary) { WriteBytes(temporary, bytes); });
}

void WriteFolderAtomic(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  const fs::path target = path.has_filename() ? path : path.parent_path();
  MakeFolders(ParentOf(target));
  const fs::path temporary_path = TemporaryPath(target);
  Temporary temporary(temporary_path);
  MakeFolders(temporary_path);
  write(temporary_path);
  SyncTree(temporary_path);
  ReplaceFolderAtomic(temporary_path, target);
  temporary.Keep();
  SyncFolder(ParentOf(target));
}

void FillFolderAtomic(const fs::path& path, const std::string& last,
                      const std::function<void(const fs::path&)>& write) {
  const fs::path temporary_path = TemporaryPath(path / last);
  Temporary temporary(temporary_path);
  MakeFolders(temporary_path);
  write(temporary_path);
  SyncTree(temporary_path);
  std::vector<fs::path> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(temporary_path)) {
    if (entry.path().filename() != last) names.push_back(entry.path().filename());
  }
  names.emplace_back(last);
  for (const fs::path& name : names) Rename(temporary_path / name, path / name);
  SyncFolder(path);
}

std::string ReadFile(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw InputError({path.string(), "missing", "an existing file", ""});
  if (fs::is_directory(status)) throw InputError({path.string(), "a folder", "a file", ""});
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw InputError({path.string(), "not readable (" + std::string(std::strerror(errno)) + ")",
                      "a file that can be read", "check its permissions"});
  }
  std::string bytes;
  char chunk[1 << 16];
  while (file.read(chunk, sizeof chunk) || file.gcount() > 0) {
    bytes.append(chunk, static_cast<size_t>(file.gcount()));
  }
  if (file.bad()) throw IoError({path.string(), "not readable to its end", "a whole file", ""});
  return bytes;
}

}  // namespace aim
