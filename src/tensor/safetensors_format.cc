#include "tensor/safetensors_format.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "aim/base/error.h"
#include "aim/format/byte_reader.h"
#include "aim/format/strict_json.h"
#include "aim/tensor/shape.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr size_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kLengthBytes = 8;

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
                                 {"F8_E8M0", at::kFloat8_e8m0fnu},
                                 {"F8_E4M3FNUZ", at::kFloat8_e4m3fnuz},
                                 {"F8_E5M2FNUZ", at::kFloat8_e5m2fnuz},
                                 {"C64", at::kComplexFloat},
                                 {"I64", at::kLong},
                                 {"I32", at::kInt},
                                 {"I16", at::kShort},
                                 {"I8", at::kChar},
                                 {"U64", at::kUInt64},
                                 {"U32", at::kUInt32},
                                 {"U16", at::kUInt16},
                                 {"U8", at::kByte},
                                 {"BOOL", at::kBool}};

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

std::vector<int64_t> ParseShape(const json& value, const std::string& where) {
  const std::string expected = "a list of at most 16 sizes, none below zero";
  if (!value.is_array() || value.size() > 16)
    ThrowFormatError(where + ": shape", value.dump(), expected);
  std::vector<int64_t> shape;
  for (const json& item : value) {
    const std::optional<int64_t> size = AsCount(item);
    if (!size) ThrowFormatError(where + ": shape", value.dump(), expected);
    shape.push_back(*size);
  }
  return shape;
}

at::ScalarType ParseDtype(const json& value, const std::string& where) {
  for (const DtypeName& dtype : kDtypes) {
    if (value == dtype.name) return dtype.type;
  }
  std::vector<std::string> known;
  for (const DtypeName& dtype : kDtypes) known.emplace_back(dtype.name);
  ThrowFormatError(where + ": dtype", value.dump(), "one of " + Join(known));
}

SafetensorsEntry ParseEntry(const std::string& name, const json& value, size_t data_bytes,
                            const std::string& file) {
  const std::string where = file + ": tensor " + name;
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
      !value.contains("shape") || !value.contains("data_offsets")) {
    ThrowFormatError(where, "described by " + value.dump().substr(0, 80),
                     "dtype, shape and data_offsets");
  }
  SafetensorsEntry entry{.name = name,
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
    ThrowFormatError(where + ": data_offsets", offsets.dump(), "[begin, end] with begin <= end");
  }
  entry.begin = static_cast<size_t>(*begin);
  entry.end = static_cast<size_t>(*end);
  if (entry.end > data_bytes) {
    ThrowFormatError(where, "ending at byte " + std::to_string(entry.end) + " of the data",
                     "at most " + std::to_string(data_bytes) + ", all the file has");
  }
  const std::optional<size_t> needed = ShapeBytes(entry.shape, entry.type);
  if (!needed || *needed != entry.end - entry.begin) {
    ThrowFormatError(where, std::to_string(entry.end - entry.begin) + " bytes long",
                     (needed ? std::to_string(*needed) : std::string("more than 2^63")) +
                         " for shape " + ShapeText(entry.shape));
  }
  return entry;
}

// Tensors must tile the data without hole or overlap.
void CheckTiling(std::vector<SafetensorsEntry> entries, size_t data_bytes,
                 const std::string& file) {
  std::sort(entries.begin(), entries.end(),
            [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
              return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
            });
  size_t position = 0;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin != position) {
      ThrowFormatError(file + ": tensor " + entry.name,
                       "starting at byte " + std::to_string(entry.begin),
                       std::to_string(position) + ", where the tensor before it ends");
    }
    position = entry.end;
  }
  if (position != data_bytes) {
    ThrowFormatError(file, std::to_string(data_bytes - position) + " bytes longer than its tensors",
                     "data that its tensors cover exactly");
  }
}

Metadata ParseMetadata(const json& value, const std::string& file) {
  const std::string expected = "an object of strings";
  if (!value.is_object())
    ThrowFormatError(file + ": " + kSafetensorsMetadataKey, value.dump().substr(0, 80), expected);
  Metadata metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      ThrowFormatError(file + ": " + kSafetensorsMetadataKey + "." + key, text.dump().substr(0, 80),
                       expected);
    }
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

}  // namespace

std::optional<size_t> ShapeBytes(const std::vector<int64_t>& shape, at::ScalarType type) {
  int64_t bytes = static_cast<int64_t>(c10::elementSize(type));
  const bool is_empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  if (is_empty) return 0;
  for (const int64_t size : shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) return std::nullopt;
  }
  return static_cast<size_t>(bytes);
}

const char* SafetensorsDtypeName(at::ScalarType type) {
  for (const DtypeName& dtype : kDtypes) {
    if (dtype.type == type) return dtype.name;
  }
  return nullptr;
}

SafetensorsHeader ParseSafetensors(std::span<const std::byte> bytes, const std::string& file) {
  if (bytes.size() < kLengthBytes) {
    ThrowFormatError(file, std::to_string(bytes.size()) + " bytes long", "a safetensors file");
  }
  const uint64_t header_bytes = ReadNumber<uint64_t>(bytes, 0);
  const size_t rest_bytes = bytes.size() - kLengthBytes;
  if (header_bytes > kMaxHeaderBytes || header_bytes > rest_bytes) {
    ThrowFormatError(file + ": header length", std::to_string(header_bytes),
                     "at most " + std::to_string(std::min(kMaxHeaderBytes, rest_bytes)) +
                         "; the file is truncated or no safetensors file");
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes,
                              header_bytes);
  if (text.empty() || text.front() != '{') {
    ThrowFormatError(file + ": header", "not a JSON object",
                     "a safetensors header that begins with {");
  }
  const json header = ParseJsonObject(text, file + ": header");
  const size_t data_bytes = rest_bytes - header_bytes;

  SafetensorsHeader result;
  for (const auto& [key, value] : header.items()) {
    if (key == kSafetensorsMetadataKey) {
      result.metadata = ParseMetadata(value, file);
    } else {
      result.entries.push_back(ParseEntry(key, value, data_bytes, file));
    }
  }
  CheckTiling(result.entries, data_bytes, file);
  for (SafetensorsEntry& entry : result.entries) {
    entry.begin += kLengthBytes + header_bytes;
    entry.end += kLengthBytes + header_bytes;
  }
  return result;
}

}  // namespace aim
