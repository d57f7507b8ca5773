#include "aim/format/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "aim/base/error.h"

namespace aim {

std::shared_ptr<const MappedFile> MappedFile::Open(const std::filesystem::path& path) {
  const auto fail = [&](const std::string& got) {
    return InputError(
        {.where = path.string(), .got = got, .expected = "a readable file", .fix = ""});
  };
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    throw fail(errno == ENOENT ? "missing"
                               : std::string("unreadable (") + std::strerror(errno) + ")");
  }
  struct stat status = {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor);
    throw fail("not a regular file");
  }
  const size_t size_bytes = static_cast<size_t>(status.st_size);
  void* data = nullptr;
  if (size_bytes > 0) {
    data = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0);
  }
  const int error = errno;
  close(descriptor);
  if (data == MAP_FAILED) {
    throw IoError({.where = path.string(),
                   .got = std::string("not mappable into memory (") + std::strerror(error) + ")",
                   .expected = "",
                   .fix = ""});
  }
  return std::shared_ptr<const MappedFile>(
      new MappedFile(static_cast<std::byte*>(data), size_bytes));
}

void MappedFile::Release(size_t begin, size_t size_bytes) const {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t first = (begin + page - 1) / page * page;
  const size_t last = (begin + size_bytes) / page * page;
  // Advice only: where it is not taken the pages stay until memory is short.
  if (first < last) madvise(data_ + first, last - first, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, size_bytes_);
}

}  // namespace aim
