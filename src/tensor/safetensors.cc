#include "aim/tensor/safetensors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/tensor/shape.h"
#include "tensor/mapped_file.h"

namespace aim {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

using nlohmann::json;

constexpr size_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kLengthBytes = 8;
constexpr char kMetadataKey[] = "__metadata__";

struct DtypeName {
  const char* name;
  at::ScalarType type;
};

constexpr DtypeName kDtypes[] = {{"F64", at::kDouble},
                                 {"F32", at::kFloat},
                                 {"F16", at::kHalf},
                                 {"BF16", at::kBFloat16},
                                 {"F8_E4M3", at::kFloat8_e4m3fn},
                                 {"F8_E5M2", at::kFloat8_e5m2},
                                 {"I64", at::kLong},
                                 {"I32", at::kInt},
                                 {"I16", at::kShort},
                                 {"I8", at::kChar},
                                 {"U64", at::kUInt64},
                                 {"U32", at::kUInt32},
                                 {"U16", at::kUInt16},
                                 {"U8", at::kByte},
                                 {"BOOL", at::kBool}};

// One tensor of the header; offsets count from the end of the header.
struct Entry {
  std::string name;
  at::ScalarType type = at::kFloat;
  std::vector<int64_t> shape;
  size_t begin = 0;
  size_t end = 0;
};

[[noreturn]] void Fail(const std::string& where, const std::string& got,
                       const std::string& expected) {
  throw FormatError({.where = where, .got = got, .expected = expected, .fix = ""});
}

// A non-negative integer that fits int64, or nothing.
std::optional<int64_t> AsCount(const json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned()) {
    const uint64_t count = value.get<uint64_t>();
    if (count > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
    return static_cast<int64_t>(count);
  }
  const int64_t count = value.get<int64_t>();
  return count < 0 ? std::nullopt : std::optional<int64_t>(count);
}

// JSON objects may repeat a key; the format forbids it, and a parser would keep one silently.
json ParseHeader(std::string_view text, const std::string& file) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > 8) Fail(file + ": header", "nested deeper than 8 levels", "a flat JSON object");
    const size_t level = static_cast<size_t>(depth);
    if (event == json::parse_event_t::object_start) {
      keys.resize(std::max(keys.size(), level + 2));
      keys[level + 1].clear();
    } else if (event == json::parse_event_t::key) {
      const std::string key = parsed.get<std::string>();
      if (!keys[level].insert(key).second) {
        Fail(file + ": tensor " + key, "named twice", "one entry a name");
      }
    }
    return true;
  };
  try {
    json header = json::parse(text, watch);
    if (header.is_object()) return header;
  } catch (const json::exception&) {
    // Reported below, together with valid JSON that is no object.
  }
  Fail(file + ": header", "not a JSON object", "a safetensors header of names and offsets");
}

std::vector<int64_t> ParseShape(const json& value, const std::string& where) {
  const std::string expected = "a list of at most 16 sizes, none below zero";
  if (!value.is_array() || value.size() > 16) Fail(where + ": shape", value.dump(), expected);
  std::vector<int64_t> shape;
  for (const json& item : value) {
    const std::optional<int64_t> size = AsCount(item);
    if (!size) Fail(where + ": shape", value.dump(), expected);
    shape.push_back(*size);
  }
  return shape;
}

at::ScalarType ParseDtype(const json& value, const std::string& where) {
  for (const DtypeName& dtype : kDtypes) {
    if (value == dtype.name) return dtype.type;
  }
  Fail(where + ": dtype", value.dump(), "one of F64, F32, F16, BF16, F8_*, I8-I64, U8-U64, BOOL");
}

// Bytes that a shape takes; nothing if the product leaves 63 bits.
std::optional<size_t> ShapeBytes(const std::vector<int64_t>& shape, at::ScalarType type) {
  int64_t bytes = static_cast<int64_t>(c10::elementSize(type));
  const bool is_empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  if (is_empty) return 0;
  for (const int64_t size : shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) return std::nullopt;
  }
  return static_cast<size_t>(bytes);
}

Entry ParseEntry(const std::string& name, const json& value, size_t data_bytes,
                 const std::string& file) {
  const std::string where = file + ": tensor " + name;
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
      !value.contains("shape") || !value.contains("data_offsets")) {
    Fail(where, "described by " + value.dump().substr(0, 80), "dtype, shape and data_offsets");
  }
  Entry entry{.name = name,
              .type = ParseDtype(value["dtype"], where),
              .shape = ParseShape(value["shape"], where)};
  const json& offsets = value["data_offsets"];
  std::optional<int64_t> begin;
  std::optional<int64_t> end;
  if (offsets.is_array() && offsets.size() == 2) {
    begin = AsCount(offsets[0]);
    end = AsCount(offsets[1]);
  }
  if (!begin || !end || *begin > *end) {
    Fail(where + ": data_offsets", offsets.dump(), "[begin, end] with begin <= end");
  }
  entry.begin = static_cast<size_t>(*begin);
  entry.end = static_cast<size_t>(*end);
  if (entry.end > data_bytes) {
    Fail(where, "ending at byte " + std::to_string(entry.end) + " of the data",
         "at most " + std::to_string(data_bytes) + ", all the file has");
  }
  const std::optional<size_t> needed = ShapeBytes(entry.shape, entry.type);
  if (!needed || *needed != entry.end - entry.begin) {
    Fail(where, std::to_string(entry.end - entry.begin) + " bytes long",
         (needed ? std::to_string(*needed) : std::string("more than 2^63")) + " for shape " +
             ShapeText(entry.shape));
  }
  return entry;
}

// Tensors must tile the data without hole or overlap.
void CheckTiling(std::vector<Entry> entries, size_t data_bytes, const std::string& file) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  size_t position = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != position) {
      Fail(file + ": tensor " + entry.name, "starting at byte " + std::to_string(entry.begin),
           std::to_string(position) + ", where the tensor before it ends");
    }
    position = entry.end;
  }
  if (position != data_bytes) {
    Fail(file, std::to_string(data_bytes - position) + " bytes longer than its tensors",
         "data that its tensors cover exactly");
  }
}

Metadata ParseMetadata(const json& value, const std::string& file) {
  const std::string expected = "an object of strings";
  if (!value.is_object()) Fail(file + ": " + kMetadataKey, value.dump().substr(0, 80), expected);
  Metadata metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      Fail(file + ": " + kMetadataKey + "." + key, text.dump().substr(0, 80), expected);
    }
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

// A view into the mapping, or a copy where the file does not align it.
at::Tensor ViewTensor(const Entry& entry, std::byte* data,
                      const std::shared_ptr<const MappedFile>& file) {
  if (entry.begin == entry.end) return at::empty(entry.shape, entry.type);
  const auto address = reinterpret_cast<uintptr_t>(data);
  if (address % c10::elementSize(entry.type) != 0) {
    at::Tensor copy = at::empty(entry.shape, entry.type);
    std::memcpy(copy.mutable_data_ptr(), data, entry.end - entry.begin);
    return copy;
  }
  return at::from_blob(
      data, entry.shape, [file](void*) {}, at::TensorOptions(entry.type));
}

const char* NameOfDtype(at::ScalarType type, const std::string& tensor) {
  for (const DtypeName& dtype : kDtypes) {
    if (dtype.type == type) return dtype.name;
  }
  throw InputError({.where = "tensor " + tensor,
                    .got = c10::toString(type),
                    .expected = "a dtype that safetensors files can hold",
                    .fix = ""});
}

std::string LittleEndianLength(size_t length) {
  uint64_t value = length;
  std::string bytes(kLengthBytes, '\0');
  std::memcpy(bytes.data(), &value, kLengthBytes);
  return bytes;
}

}  // namespace

SafetensorsFile OpenSafetensors(const std::filesystem::path& path) {
  const std::string name = path.string();
  const std::shared_ptr<const MappedFile> file = MappedFile::Open(path);
  if (file->size_bytes() < kLengthBytes) {
    Fail(name, std::to_string(file->size_bytes()) + " bytes long", "a safetensors file");
  }
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file->data(), kLengthBytes);
  const size_t rest_bytes = file->size_bytes() - kLengthBytes;
  if (header_bytes > kMaxHeaderBytes || header_bytes > rest_bytes) {
    Fail(name + ": header length", std::to_string(header_bytes),
         "at most " + std::to_string(std::min(kMaxHeaderBytes, rest_bytes)) +
             "; the file is truncated or no safetensors file");
  }
  std::byte* header_data = file->data() + kLengthBytes;
  const std::string_view text(reinterpret_cast<const char*>(header_data), header_bytes);
  if (text.empty() || text.front() != '{') {
    Fail(name + ": header", "not a JSON object", "a safetensors header that begins with {");
  }
  const json header = ParseHeader(text, name);
  std::byte* data = header_data + header_bytes;
  const size_t data_bytes = rest_bytes - header_bytes;

  SafetensorsFile result;
  std::vector<Entry> entries;
  for (const auto& [key, value] : header.items()) {
    if (key == kMetadataKey) {
      result.metadata = ParseMetadata(value, name);
    } else {
      entries.push_back(ParseEntry(key, value, data_bytes, name));
    }
  }
  CheckTiling(entries, data_bytes, name);
  for (const Entry& entry : entries) {
    result.tensors[entry.name] = ViewTensor(entry, data + entry.begin, file);
  }
  return result;
}

WeightMap ReadSafetensors(const std::filesystem::path& path) {
  return OpenSafetensors(path).tensors;
}

void WriteSafetensors(const std::filesystem::path& path, const WeightMap& tensors,
                      const Metadata& metadata) {
  std::map<std::string, TensorInfo> infos;
  for (const auto& [name, tensor] : tensors) {
    infos[name] = {tensor.scalar_type(), tensor.sizes().vec()};
  }
  StreamSafetensors(
      path, infos, [&](const std::string& name) { return tensors.at(name); }, metadata);
}

void StreamSafetensors(const std::filesystem::path& path,
                       const std::map<std::string, TensorInfo>& tensors,
                       const std::function<at::Tensor(const std::string&)>& load,
                       const Metadata& metadata) {
  // Falling element size keeps every tensor aligned to its own.
  std::vector<std::pair<std::string, TensorInfo>> order(tensors.begin(), tensors.end());
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return c10::elementSize(a.second.dtype) > c10::elementSize(b.second.dtype);
  });
  json header = json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  size_t position = 0;
  for (const auto& [name, info] : order) {
    const std::optional<size_t> bytes = ShapeBytes(info.shape, info.dtype);
    AIM_CHECK(bytes.has_value());
    header[name] = {{"dtype", NameOfDtype(info.dtype, name)},
                    {"shape", info.shape},
                    {"data_offsets", {position, position + *bytes}}};
    position += *bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');

  WriteFileAtomic(path, [&](const std::filesystem::path& temporary) {
    std::ofstream out(temporary, std::ios::binary);
    out << LittleEndianLength(text.size()) << text;
    for (const auto& [name, info] : order) {
      if (!out) break;
      const at::Tensor bytes = load(name).detach().cpu().contiguous();
      AIM_CHECK(bytes.scalar_type() == info.dtype && bytes.sizes() == at::IntArrayRef(info.shape));
      out.write(static_cast<const char*>(bytes.const_data_ptr()),
                static_cast<std::streamsize>(bytes.nbytes()));
    }
    out.close();
    if (!out) {
      throw IoError({.where = path.string(),
                     .got = "not written completely",
                     .expected = "enough space on the disk",
                     .fix = "free some and run again"});
    }
  });
}

}  // namespace aim
