#include "aim/format/npy.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"

namespace aim {
namespace {

static_assert(std::endian::native == std::endian::little, "npy.cc copies little-endian bytes");

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kMaxAxes = 16;

[[noreturn]] void Refuse(const std::string& where, const std::string& got,
                         const std::string& expected, const std::string& fix = "") {
  throw FormatError({where, got, expected, fix});
}

size_t LittleEndian(std::string_view bytes) {
  size_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// What stands behind 'key': in the header's dictionary, without leading spaces.
std::string_view ValueOf(std::string_view header, std::string_view key, const std::string& where) {
  for (const char quote : {'\'', '"'}) {
    const std::string quoted = quote + std::string(key) + quote;
    size_t at = header.find(quoted);
    if (at == std::string_view::npos) continue;
    at = header.find_first_not_of(' ', at + quoted.size());
    if (at == std::string_view::npos || header[at] != ':') break;
    at = header.find_first_not_of(' ', at + 1);
    if (at == std::string_view::npos) break;
    return header.substr(at);
  }
  Refuse(where, "without \"" + std::string(key) + "\" in its header", "a .npy file");
}

NpyType TypeNamed(std::string_view name, const std::string& where) {
  if (name == "<f4") return NpyType::kFloat32;
  if (name == "<f8") return NpyType::kFloat64;
  if (name == "|u1" || name == "<u1") return NpyType::kUint8;
  Refuse(where, "an array of type " + std::string(name),
         "<f4, <f8 or |u1 (little-endian float32, float64, uint8)",
         "save it with array.astype(\"<f4\")");
}

std::string_view Quoted(std::string_view value, const std::string& where) {
  if (value.empty() || (value[0] != '\'' && value[0] != '"')) {
    Refuse(where, "an array of structures", "float32, float64 or uint8");
  }
  return value.substr(1, value.find(value[0], 1) - 1);
}

std::vector<int64_t> ParseShape(std::string_view value, const std::string& where) {
  const size_t close = value.find(')');
  if (!value.starts_with('(') || close == std::string_view::npos) {
    Refuse(where, "without a readable shape", "a .npy file");
  }
  std::vector<int64_t> shape;
  const char* at = value.data() + 1;
  const char* const end = value.data() + close;
  while (true) {
    while (at != end && (*at == ' ' || *at == ',')) ++at;
    if (at == end) return shape;
    int64_t size = 0;
    const auto [stop, error] = std::from_chars(at, end, size);
    if (error != std::errc() || size < 0 || shape.size() == kMaxAxes) {
      Refuse(where, "of shape " + std::string(value.substr(0, close + 1)),
             "at most 16 sizes of 0 or more");
    }
    shape.push_back(size);
    at = stop;
  }
}

std::string TupleText(const std::vector<int64_t>& shape) {
  std::string text = "(";
  for (const int64_t size : shape) text += std::to_string(size) + ", ";
  if (shape.size() > 1) text.resize(text.size() - 2);
  if (shape.size() == 1) text.pop_back();
  return text + ")";
}

// Number of bytes that `shape` asks for; `available` bounds it, so that it cannot overflow.
bool FillsExactly(const std::vector<int64_t>& shape, size_t item_bytes, size_t available) {
  for (const int64_t size : shape) {
    if (size == 0) return available == 0;
  }
  size_t needed = item_bytes;
  for (const int64_t size : shape) {
    if (static_cast<size_t>(size) > available / needed) return false;
    needed *= static_cast<size_t>(size);
  }
  return needed == available;
}

template <class To>
std::vector<To> Convert(const NpyArray& array) {
  const size_t count = array.bytes.size() / ItemBytes(array.type);
  std::vector<To> values(count);
  const auto convert_from = [&]<class From>(From) {
    for (size_t i = 0; i < count; ++i) {
      From value;
      std::memcpy(&value, array.bytes.data() + i * sizeof(From), sizeof(From));
      values[i] = static_cast<To>(value);
    }
  };
  switch (array.type) {
    case NpyType::kFloat32:
      convert_from(float{});
      break;
    case NpyType::kFloat64:
      convert_from(double{});
      break;
    case NpyType::kUint8:
      convert_from(uint8_t{});
      break;
  }
  return values;
}

void WriteArray(const std::filesystem::path& path, const std::vector<int64_t>& shape,
                const char* type, std::span<const std::byte> bytes, size_t item_bytes) {
  AIM_CHECK(FillsExactly(shape, item_bytes, bytes.size()));
  std::string header = "{'descr': '" + std::string(type) +
                       "', 'fortran_order': False, 'shape': " + TupleText(shape) + ", }";
  // Data begin at a multiple of 64 bytes; the header ends with a newline.
  const size_t unpadded = kMagic.size() + 4 + header.size() + 1;
  header += std::string((64 - unpadded % 64) % 64, ' ') + "\n";
  std::string file(kMagic);
  file += {'\x01', '\x00', static_cast<char>(header.size() & 0xff),
           static_cast<char>(header.size() >> 8)};
  file += header;
  file.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  WriteFileAtomic(path, file);
}

}  // namespace

size_t ItemBytes(NpyType type) {
  switch (type) {
    case NpyType::kFloat32:
      return 4;
    case NpyType::kFloat64:
      return 8;
    case NpyType::kUint8:
      return 1;
  }
  FailCheck("known NpyType", __FILE__, __LINE__);
}

NpyArray ParseNpy(std::string_view bytes, const std::string& where) {
  if (bytes.size() < 12 || !bytes.starts_with(kMagic)) {
    Refuse(where, bytes.size() < 12 ? "cut short or empty" : "not a .npy file",
           "a file that numpy.save wrote");
  }
  const int version = static_cast<unsigned char>(bytes[6]);
  if (version < 1 || version > 3) {
    Refuse(where, "of .npy version " + std::to_string(version), "version 1, 2 or 3");
  }
  const size_t length_bytes = version == 1 ? 2 : 4;
  const size_t header_begin = 8 + length_bytes;
  const size_t header_bytes = LittleEndian(bytes.substr(8, length_bytes));
  if (header_bytes > bytes.size() - header_begin) {
    Refuse(where, "cut short in its header", std::to_string(header_bytes) + " bytes of header");
  }
  const std::string_view header = bytes.substr(header_begin, header_bytes);
  const std::string_view data = bytes.substr(header_begin + header_bytes);

  const std::string_view type = Quoted(ValueOf(header, "descr", where), where);
  if (!ValueOf(header, "fortran_order", where).starts_with("False")) {
    Refuse(where, "in Fortran order", "C order", "save it with numpy.ascontiguousarray(array)");
  }
  return MakeNpyArray(type, ParseShape(ValueOf(header, "shape", where), where), data, where);
}

NpyArray MakeNpyArray(std::string_view type_name, std::vector<int64_t> shape,
                      std::string_view bytes, const std::string& where) {
  NpyArray array{.type = TypeNamed(type_name, where), .shape = std::move(shape), .bytes = {}};
  if (!FillsExactly(array.shape, ItemBytes(array.type), bytes.size())) {
    Refuse(where, "with " + std::to_string(bytes.size()) + " bytes of data",
           "as many as its shape " + TupleText(array.shape) + " needs",
           "the file is cut short or damaged; copy it again");
  }
  array.bytes.resize(bytes.size());
  if (!bytes.empty()) std::memcpy(array.bytes.data(), bytes.data(), bytes.size());
  return array;
}

NpyArray ReadNpy(const std::filesystem::path& path) {
  return ParseNpy(ReadFile(path), path.string());
}

std::vector<float> ToFloats(const NpyArray& array) { return Convert<float>(array); }

std::vector<double> ToDoubles(const NpyArray& array) { return Convert<double>(array); }

void WriteNpy(const std::filesystem::path& path, const std::vector<int64_t>& shape,
              std::span<const float> values) {
  WriteArray(path, shape, "<f4", std::as_bytes(values), sizeof(float));
}

void WriteNpy(const std::filesystem::path& path, const std::vector<int64_t>& shape,
              std::span<const double> values) {
  WriteArray(path, shape, "<f8", std::as_bytes(values), sizeof(double));
}

void WriteNpy(const std::filesystem::path& path, const std::vector<int64_t>& shape,
              std::span<const uint8_t> values) {
  WriteArray(path, shape, "|u1", std::as_bytes(values), sizeof(uint8_t));
}

}  // namespace aim
