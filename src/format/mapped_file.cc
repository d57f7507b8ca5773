#include "aim/format/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "aim/base/error.h"

namespace aim {
namespace {

// The mappings that are alive, for a signal handler: it can neither lock nor allocate. Where there
// are more, those beyond are not explained.
struct Mapping {
  std::atomic<bool> is_taken = false;
  std::atomic<const std::byte*> begin = nullptr;
  std::atomic<size_t> size_bytes = 0;
  std::atomic<const char*> name = nullptr;
};

std::array<Mapping, 512> mappings;

void Enter(const std::byte* begin, size_t size_bytes, const char* name) {
  for (Mapping& mapping : mappings) {
    if (mapping.is_taken.exchange(true)) continue;
    mapping.name = name;
    mapping.size_bytes = size_bytes;
    mapping.begin = begin;
    return;
  }
}

void Leave(const std::byte* begin) {
  for (Mapping& mapping : mappings) {
    if (mapping.begin != begin) continue;
    mapping.begin = nullptr;
    mapping.is_taken = false;
    return;
  }
}

void Say(const char* text) {
  // A message that cannot be written has nowhere else to go.
  if (write(STDERR_FILENO, text, std::strlen(text)) < 0) return;
}

void HandleBusError(int signal, siginfo_t* info, void*) {
  const auto* address = static_cast<const std::byte*>(info->si_addr);
  for (const Mapping& mapping : mappings) {
    const std::byte* begin = mapping.begin;
    if (begin == nullptr || address < begin || address >= begin + mapping.size_bytes) continue;
    Say("error: ");
    Say(mapping.name);
    Say(" is shorter than when it was opened, or its disk failed; expected a file that nobody "
        "changes while it is read; copy or download it again\n");
    _exit(1);
  }
  std::signal(signal, SIG_DFL);  // not ours: it comes again, as without this handler
}

}  // namespace

MappedFile::MappedFile(std::byte* data, size_t size_bytes, const std::filesystem::path& path)
    : data_(data), size_bytes_(size_bytes), name_(path.string()) {
  if (data_ != nullptr) Enter(data_, size_bytes_, name_.c_str());
}

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
      new MappedFile(static_cast<std::byte*>(data), size_bytes, path));
}

void MappedFile::Release(size_t begin, size_t size_bytes) const {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t first = (begin + page - 1) / page * page;
  const size_t last = (begin + size_bytes) / page * page;
  // Advice only: where it is not taken the pages stay until memory is short.
  if (first < last) madvise(data_ + first, last - first, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  Leave(data_);
  munmap(data_, size_bytes_);
}

void ExplainShortenedFiles() {
  struct sigaction action = {};
  action.sa_sigaction = HandleBusError;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace aim
