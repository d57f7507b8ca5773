// A file mapped into memory, shared by the tensors that point into it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

namespace aim {

class MappedFile {
 public:
  // Private and writable: changes stay in this process. Throws InputError if the file cannot be
  // read, IoError if it cannot be mapped. An empty file has no data.
  static std::shared_ptr<const MappedFile> Open(const std::filesystem::path& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::byte* data() const { return data_; }
  size_t size_bytes() const { return size_bytes_; }

 private:
  MappedFile(std::byte* data, size_t size_bytes) : data_(data), size_bytes_(size_bytes) {}

  std::byte* data_;
  size_t size_bytes_;
};

}  // namespace aim
