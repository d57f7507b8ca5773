// The parts that an HDF5 file is made of: bytes with an end, the header of an object, B-trees.
// HDF5 File Format Specification, version 3.0; what the library writes unless it is told otherwise.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aim {

inline constexpr int kMaxHdf5Parts = 100'000;  // of a header, group or array: what loops ends
inline constexpr const char* kRepackHdf5 = "rewrite it: h5repack --low=0 --high=0 OLD NEW";

[[noreturn]] void FailHdf5(const std::string& where, const std::string& got);

enum class Hdf5Message : uint16_t {
  kDataspace = 1,
  kDatatype = 3,
  kExternalFiles = 7,
  kLayout = 8,
  kFilters = 11,
  kContinuation = 16,
  kSymbolTable = 17
};

// Bytes of a file with an end; asking beyond it is damage, named by `where`.
class Hdf5Bytes {
 public:
  Hdf5Bytes(std::string_view bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  std::string_view Part(uint64_t at, uint64_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) FailHdf5(where_, "damaged or cut off");
    return bytes_.substr(at, size);
  }
  template <class Integer>
  Integer Number(uint64_t at) const {
    Integer number;
    std::memcpy(&number, Part(at, sizeof number).data(), sizeof number);
    return number;
  }
  void RequireSignature(uint64_t at, std::string_view signature) const {
    if (Part(at, signature.size()) != signature) FailHdf5(where_, "damaged");
  }
  // Whether `text` and a zero byte stand there.
  bool HasText(uint64_t at, std::string_view text) const {
    return at < bytes_.size() && text.size() < bytes_.size() - at &&
           bytes_.substr(at, text.size()) == text && bytes_[at + text.size()] == '\0';
  }

  size_t size() const { return bytes_.size(); }
  const std::string& where() const { return where_; }

 private:
  std::string_view bytes_;
  std::string where_;
};

// Of an object: its messages, of each kind the first. Throws FormatError where the header is
// damaged.
class Hdf5Header {
 public:
  Hdf5Header(const Hdf5Bytes& file, uint64_t address);
  std::optional<Hdf5Bytes> Find(Hdf5Message kind) const;

 private:
  void ReadBlocks(const Hdf5Bytes& file, uint64_t begin, uint64_t end);

  std::string where_;
  std::vector<std::pair<uint16_t, std::string_view>> messages_;
};

// A B-tree of version 1.
class Hdf5Tree {
 public:
  enum class Kind : uint8_t { kGroup = 0, kChunks = 1 };
  using VisitLeaf = std::function<void(uint64_t key_at, uint64_t child)>;
  Hdf5Tree(const Hdf5Bytes& file, Kind kind, uint64_t key_bytes, VisitLeaf visit)
      : file_(file), kind_(kind), key_bytes_(key_bytes), visit_(std::move(visit)) {}

  // Calls visit(address of the key, address of the child) for every leaf below the root at
  // `address`.
  void Visit(uint64_t address, int level = -1);

 private:
  const Hdf5Bytes& file_;
  Kind kind_;
  uint64_t key_bytes_;
  VisitLeaf visit_;
  int num_parts_ = 0;
};

}  // namespace aim
