// A file mapped into memory, shared by the tensors that point into it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace aim {

class MappedFile {
 public:
  // Private and writable: changes stay in this process. Throws InputError if the file cannot be
  // read, IoError if it cannot be mapped. An empty file has no data.
  static std::shared_ptr<const MappedFile> Open(const std::filesystem::path& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Gives the pages that lie wholly within [begin, begin + size_bytes) of the file back to the
  // system; they are read again when touched. What was written to them is lost.
  void Release(size_t begin, size_t size_bytes) const;

  std::byte* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }
  std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }

 private:
  MappedFile(std::byte* data, size_t size_bytes, const std::filesystem::path& path);

  std::byte* data_;
  size_t size_bytes_;
  std::string name_;  // for the sentence of ExplainShortenedFiles
};

// What another program cuts off a file that is mapped cannot be read any more. From this call on,
// touching it ends the process with exit code 1 and a sentence on stderr that names the file;
// before it, and for whatever is no mapped file, that is SIGBUS. For programs' main: a library
// leaves signals alone.
void ExplainShortenedFiles();

}  // namespace aim
