#include "data/hdf5_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/text.h"
#include "data/fail_input.h"
#include "data/hdf5_parts.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr uintmax_t kMaxFileBytes = uintmax_t{1} << 30;
constexpr uint64_t kMaxNumbers = uint64_t{1} << 24;  // of an array
constexpr size_t kMaxRank = 8;

static_assert(std::endian::native == std::endian::little);  // as the numbers of a file are

// What the numbers of an array are.
struct Hdf5Type {
  bool is_float = false;
  bool is_signed = false;
  uint64_t size_bytes = 0;

  double At(const char* bytes) const {
    if (is_float) return size_bytes == 4 ? As<float>(bytes) : As<double>(bytes);
    switch (size_bytes) {
      case 1:
        return is_signed ? As<int8_t>(bytes) : As<uint8_t>(bytes);
      case 2:
        return is_signed ? As<int16_t>(bytes) : As<uint16_t>(bytes);
      case 4:
        return is_signed ? As<int32_t>(bytes) : As<uint32_t>(bytes);
      default:
        return is_signed ? As<int64_t>(bytes) : As<uint64_t>(bytes);
    }
  }

 private:
  template <class Number>
  static double As(const char* bytes) {
    Number number;
    std::memcpy(&number, bytes, sizeof number);
    return static_cast<double>(number);
  }
};

// h5py writes true and false as an enumeration of bytes, whose own type comes behind.
Hdf5Type TypeOf(const Hdf5Bytes& message, uint64_t at = 0) {
  constexpr int kInteger = 0, kFloat = 1, kEnumeration = 8;
  const int kind = message.Number<uint8_t>(at) & 15;
  if (kind == kEnumeration && at == 0) return TypeOf(message, 8);
  if (kind == kInteger || kind == kFloat) {
    const auto flags = message.Number<uint8_t>(at + 1);
    const Hdf5Type type{.is_float = kind == kFloat,
                        .is_signed = (flags & 8) != 0,
                        .size_bytes = message.Number<uint32_t>(at + 4)};
    const uint64_t size_bytes = type.size_bytes;
    const bool has_size = type.is_float ? size_bytes == 4 || size_bytes == 8
                                        : std::has_single_bit(size_bytes) && size_bytes <= 8;
    const bool is_little = (flags & 1) == 0;
    const auto first_bit = message.Number<uint16_t>(at + 8);
    const auto num_bits = message.Number<uint16_t>(at + 10);
    if (has_size && is_little && first_bit == 0 && num_bits == 8 * size_bytes) return type;
  }
  FailInput(message.where(), "no array of numbers",
            "whole numbers, floats, or true and false, little-endian");
}

std::vector<uint64_t> ShapeOf(const Hdf5Bytes& message) {
  const int version = message.Number<uint8_t>(0);
  const size_t rank = message.Number<uint8_t>(1);
  if ((version != 1 && version != 2) || rank > kMaxRank) FailHdf5(message.where(), "damaged");
  std::vector<uint64_t> shape;
  for (size_t i = 0; i < rank; ++i) {
    shape.push_back(message.Number<uint64_t>((version == 1 ? 8 : 4) + 8 * i));
  }
  return shape;
}

// The number of numbers of an array of rows of `width`.
size_t CountOf(const std::vector<uint64_t>& shape, size_t width, const std::string& where) {
  double in_row = 1;
  std::vector<int64_t> shown;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) in_row *= static_cast<double>(shape[i]);
    shown.push_back(static_cast<int64_t>(std::min<uint64_t>(shape[i], INT64_MAX)));
  }
  if (shape.empty() || in_row != static_cast<double>(width)) {
    FailInput(where, "of shape " + ShapeText(shown),
              "rows of " + CountText(static_cast<int64_t>(width), "number"));
  }
  if (in_row * static_cast<double>(shape[0]) > static_cast<double>(kMaxNumbers)) {
    FailHdf5(where, "of the impossible shape " + ShapeText(shown));
  }
  return static_cast<size_t>(shape[0]) * width;
}

// An array of a file, as a list of numbers.
class Hdf5ArrayReader {
 public:
  Hdf5ArrayReader(const Hdf5Bytes& file, std::vector<uint64_t> shape, const Hdf5Type& type,
                  size_t count)
      : file_(file), shape_(std::move(shape)), type_(type), values_(count) {}

  std::vector<double> Read(const Hdf5Bytes& layout) {
    constexpr int kCompact = 0, kContiguous = 1, kChunked = 2;
    if (layout.Number<uint8_t>(0) != 3) FailLayout();
    const uint64_t size_bytes = values_.size() * type_.size_bytes;
    switch (layout.Number<uint8_t>(1)) {
      case kCompact:
        Take(layout.Part(4, size_bytes));
        break;
      case kContiguous:
        if (size_bytes > 0) Take(file_.Part(layout.Number<uint64_t>(2), size_bytes));
        break;
      case kChunked:
        ReadChunks(layout);
        break;
      default:
        FailLayout();
    }
    return std::move(values_);
  }

 private:
  [[noreturn]] void FailLayout() const {
    FailInput(file_.where(), "stored in a way that is not read", "as h5py writes by itself",
              kRepackHdf5);
  }

  void Take(std::string_view bytes) {
    for (size_t i = 0; i < values_.size(); ++i) {
      values_[i] = type_.At(bytes.data() + i * type_.size_bytes);
    }
  }

  void ReadChunks(const Hdf5Bytes& layout) {
    const size_t rank = shape_.size();
    if (layout.Number<uint8_t>(2) != rank + 1) FailHdf5(file_.where(), "damaged");
    uint64_t chunk_bytes = layout.Number<uint32_t>(11 + 4 * rank);
    if (chunk_bytes != type_.size_bytes) FailHdf5(file_.where(), "damaged");
    for (size_t i = 0; i < rank; ++i) {
      chunk_.push_back(layout.Number<uint32_t>(11 + 4 * i));
      if (chunk_[i] == 0 || chunk_bytes > file_.size()) FailHdf5(file_.where(), "damaged");
      chunk_bytes *= chunk_[i];
    }
    if (values_.empty()) return;
    filled_.assign(values_.size(), false);
    const uint64_t key_bytes = 8 + 8 * (rank + 1);
    size_t num_filled = 0;
    uint64_t num_bytes = 0;
    Hdf5Tree(file_, Hdf5Tree::Kind::kChunks, key_bytes, [&](uint64_t key_at, uint64_t child) {
      num_bytes += chunk_bytes;  // each piece has its own
      if (file_.Number<uint32_t>(key_at) != chunk_bytes || num_bytes > file_.size()) {
        FailHdf5(file_.where(), "damaged");
      }
      std::vector<uint64_t> offset;
      for (size_t i = 0; i < rank; ++i) {
        offset.push_back(file_.Number<uint64_t>(key_at + 8 + 8 * i));
      }
      num_filled += TakeChunk(file_.Part(child, chunk_bytes), offset);
    }).Visit(layout.Number<uint64_t>(3));
    // A piece that is not there would read as zeros, which nobody measured.
    if (num_filled != values_.size()) FailHdf5(file_.where(), "without some of its rows");
  }

  // Returns how many of its numbers lie within the array.
  size_t TakeChunk(std::string_view bytes, const std::vector<uint64_t>& offset) {
    size_t num_taken = 0;
    const size_t count = bytes.size() / type_.size_bytes;
    for (size_t i = 0; i < count; ++i) {
      uint64_t rest = i, to = 0, stride = 1;
      bool is_within = true;
      for (size_t dim = shape_.size(); dim-- > 0;) {
        const uint64_t at = rest % chunk_[dim];
        rest /= chunk_[dim];
        is_within = is_within && offset[dim] < shape_[dim] && at < shape_[dim] - offset[dim];
        if (is_within) to += (offset[dim] + at) * stride;
        stride *= shape_[dim];
      }
      if (!is_within) continue;
      if (filled_[to]) FailHdf5(file_.where(), "with rows in two places");
      filled_[to] = true;
      values_[to] = type_.At(bytes.data() + i * type_.size_bytes);
      ++num_taken;
    }
    return num_taken;
  }

  const Hdf5Bytes& file_;
  std::vector<uint64_t> shape_;
  Hdf5Type type_;
  std::vector<uint64_t> chunk_;
  std::vector<double> values_;
  std::vector<bool> filled_;  // by a chunk
};

std::string ReadBounded(const fs::path& path) {
  std::error_code error;
  const uintmax_t size_bytes = fs::file_size(path, error);
  if (!error && size_bytes > kMaxFileBytes) {
    throw InputError({.where = path.string(),
                      .got = std::to_string(size_bytes) + " bytes long",
                      .expected = "at most 1 GiB: numbers, without pictures",
                      .fix = ""});
  }
  return ReadFile(path);
}

}  // namespace

class Hdf5File::Impl {
 public:
  explicit Impl(const fs::path& path) : path_(path), bytes_(ReadBounded(path)) {
    const Hdf5Bytes file(bytes_, path_.string());
    constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
    if (!std::string_view(bytes_).starts_with(kSignature)) {
      FailHdf5(path_.string(), "damaged, cut off or no HDF5 file");
    }
    const int version = file.Number<uint8_t>(8);
    if (version > 1 || file.Number<uint8_t>(13) != 8 || file.Number<uint8_t>(14) != 8) {
      FailInput(path_.string(),
                "of a newer or rarer kind of HDF5 (superblock " + std::to_string(version) + ")",
                "what h5py writes by itself", kRepackHdf5);
    }
    const uint64_t at = version == 0 ? 24 : 28;
    if (file.Number<uint64_t>(at) != 0 || file.Number<uint64_t>(at + 16) > bytes_.size()) {
      FailHdf5(path_.string(), "damaged, cut off or no HDF5 file");
    }
    root_ = file.Number<uint64_t>(at + 40);
  }

  bool Has(const std::string& name) const {
    const Hdf5Bytes file(bytes_, Where(name));
    const std::optional<uint64_t> address = Find(file, name);
    return address && Hdf5Header(file, *address).Find(Hdf5Message::kLayout);
  }

  std::vector<double> Rows(const std::string& name, size_t width) const {
    const std::string where = Where(name);
    const Hdf5Bytes file(bytes_, where);
    const std::optional<uint64_t> address = Find(file, name);
    if (!address) FailInput(where, "missing", "an array of that name");
    const Hdf5Header header(file, *address);
    const auto space = header.Find(Hdf5Message::kDataspace);
    const auto type = header.Find(Hdf5Message::kDatatype);
    const auto layout = header.Find(Hdf5Message::kLayout);
    if (!space || !type || !layout) FailInput(where, "no array", "an array of numbers");
    if (header.Find(Hdf5Message::kExternalFiles)) {
      FailInput(where, "stored in other files", "an array in the file itself");
    }
    if (header.Find(Hdf5Message::kFilters)) {
      FailInput(where, "compressed", "plain numbers, as DROID's recorder writes them",
                "rewrite it: h5repack -f NONE OLD NEW");
    }
    const std::vector<uint64_t> shape = ShapeOf(*space);
    const size_t count = CountOf(shape, width, where);
    std::vector<double> values = Hdf5ArrayReader(file, shape, TypeOf(*type), count).Read(*layout);
    const auto bad = std::find_if(values.begin(), values.end(),
                                  [](double value) { return !std::isfinite(value); });
    if (bad != values.end()) {
      const auto row = static_cast<size_t>(bad - values.begin()) / width;
      FailInput(where, "not a finite number in row " + std::to_string(row), "finite numbers");
    }
    return values;
  }

  std::string Where(const std::string& name) const { return path_.string() + ": " + name; }

 private:
  // The header of an object, step by step from the root; links out of the tree are none.
  std::optional<uint64_t> Find(const Hdf5Bytes& file, const std::string& name) const {
    uint64_t address = root_;
    for (size_t begin = 0; begin <= name.size();) {
      const size_t end = std::min(name.find('/', begin), name.size());
      const auto found = FindIn(file, address, std::string_view(name).substr(begin, end - begin));
      if (!found) return std::nullopt;
      address = *found;
      begin = end + 1;
    }
    return address;
  }

  static std::optional<uint64_t> FindIn(const Hdf5Bytes& file, uint64_t group,
                                        std::string_view name) {
    const auto table = Hdf5Header(file, group).Find(Hdf5Message::kSymbolTable);
    if (!table) return std::nullopt;
    const auto heap = table->Number<uint64_t>(8);
    file.RequireSignature(heap, "HEAP");
    const auto names = file.Number<uint64_t>(heap + 24);
    std::optional<uint64_t> found;
    int num_symbols = 0;
    Hdf5Tree(file, Hdf5Tree::Kind::kGroup, 8, [&](uint64_t, uint64_t node) {
      file.RequireSignature(node, "SNOD");
      const int count = file.Number<uint16_t>(node + 6);
      for (int i = 0; i < count && !found; ++i) {
        constexpr uint64_t kEntryBytes = 40;
        constexpr uint32_t kSoftLink = 2;
        if (++num_symbols > kMaxHdf5Parts) FailHdf5(file.where(), "damaged");
        const uint64_t entry = node + 8 + static_cast<uint64_t>(i) * kEntryBytes;
        if (!file.HasText(names + file.Number<uint64_t>(entry), name)) continue;
        if (file.Number<uint32_t>(entry + 16) == kSoftLink) continue;
        found = file.Number<uint64_t>(entry + 8);
      }
    }).Visit(table->Number<uint64_t>(0));
    return found;
  }

  fs::path path_;
  std::string bytes_;
  uint64_t root_ = 0;
};

Hdf5File::Hdf5File(const fs::path& path) : impl_(std::make_unique<Impl>(path)) {}
Hdf5File::~Hdf5File() = default;
bool Hdf5File::Has(const std::string& name) const { return impl_->Has(name); }
std::string Hdf5File::Where(const std::string& name) const { return impl_->Where(name); }

std::vector<double> Hdf5File::Rows(const std::string& name, size_t width) const {
  return impl_->Rows(name, width);
}

}  // namespace aim
