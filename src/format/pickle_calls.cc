#include "format/pickle_calls.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "format/pickle_globals.h"

namespace aim {
namespace {

constexpr size_t kMaxKeyBytes = 255;
constexpr size_t kMaxStoredAxes = 16;

using Values = std::vector<PickleId>;

bool Is(const Pickle& pickle, const Values& values, size_t index, PickleKind kind) {
  return index < values.size() && pickle[values[index]].kind == kind;
}

// A tuple of sizes or strides.
std::optional<std::vector<int64_t>> Extents(const Pickle& pickle, PickleId id) {
  const PickleValue& value = pickle[id];
  if (value.kind != PickleKind::kTuple || value.items.size() > kMaxStoredAxes) return std::nullopt;
  std::vector<int64_t> extents;
  for (const PickleId item : value.items) {
    if (pickle[item].kind != PickleKind::kInt || pickle[item].number < 0) return std::nullopt;
    extents.push_back(pickle[item].number);
  }
  return extents;
}

// dtype('f8', False, True): its byte order comes with its state.
PickleValue CallType(const Pickle& pickle, const Values& arguments) {
  if (!Is(pickle, arguments, 0, PickleKind::kText)) return {.kind = PickleKind::kOpaque};
  return {.kind = PickleKind::kArrayType, .storage_type = "|" + pickle[arguments[0]].text};
}

// _frombuffer(bytes, dtype, shape, order) of protocol 5.
PickleValue CallFromBuffer(const Pickle& pickle, const Values& arguments) {
  const bool is_array = Is(pickle, arguments, 0, PickleKind::kText) &&
                        Is(pickle, arguments, 1, PickleKind::kArrayType) &&
                        Is(pickle, arguments, 3, PickleKind::kText);
  const auto shape = is_array ? Extents(pickle, arguments[2]) : std::nullopt;
  if (!shape) return {.kind = PickleKind::kOpaque};
  return {.kind = PickleKind::kArray,
          .number = pickle[arguments[3]].text == "F" ? 1 : 0,
          .storage_type = pickle[arguments[1]].storage_type,
          .items = {arguments[0]},
          .shape = *shape};
}

template <class Number>
Number NumberIn(const std::string& bytes) {
  Number number{};
  std::memcpy(&number, bytes.data(), std::min(sizeof number, bytes.size()));
  return number;
}

// scalar(dtype, bytes), of the types that recordings hold.
PickleValue CallScalar(const Pickle& pickle, const Values& arguments) {
  const bool is_scalar = Is(pickle, arguments, 0, PickleKind::kArrayType) &&
                         Is(pickle, arguments, 1, PickleKind::kText);
  if (!is_scalar) return {.kind = PickleKind::kOpaque};
  const std::string& type = pickle[arguments[0]].storage_type;
  const std::string& bytes = pickle[arguments[1]].text;
  const auto has = [&](std::string_view name, size_t size) {
    return type == name && bytes.size() == size;
  };
  if (has("<f8", 8)) return {.kind = PickleKind::kFloat, .real = NumberIn<double>(bytes)};
  if (has("<f4", 4)) return {.kind = PickleKind::kFloat, .real = NumberIn<float>(bytes)};
  if (has("<i8", 8)) return {.kind = PickleKind::kInt, .number = NumberIn<int64_t>(bytes)};
  if (has("<i4", 4)) return {.kind = PickleKind::kInt, .number = NumberIn<int32_t>(bytes)};
  if (has("|b1", 1)) return {.kind = PickleKind::kBool, .number = bytes[0] != 0 ? 1 : 0};
  return {.kind = PickleKind::kOpaque};
}

// encode(text, 'latin1'): how protocol 2 writes bytes. The text is UTF-8 of characters below 256.
PickleValue CallEncode(const Pickle& pickle, const Values& arguments) {
  const bool is_latin1 = Is(pickle, arguments, 0, PickleKind::kText) &&
                         Is(pickle, arguments, 1, PickleKind::kText) &&
                         pickle[arguments[1]].text == "latin1";
  if (!is_latin1) return {.kind = PickleKind::kOpaque};
  const std::string& text = pickle[arguments[0]].text;
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    if (first < 0x80) {
      bytes += text[i];
      continue;
    }
    if ((first != 0xc2 && first != 0xc3) || i + 1 == text.size()) {
      return {.kind = PickleKind::kOpaque};
    }
    const auto second = static_cast<unsigned char>(text[++i]);
    bytes += static_cast<char>(((first & 3U) << 6U) | (second & 0x3fU));
  }
  return {.kind = PickleKind::kText, .text = std::move(bytes)};
}

// (version, byte order, ...): (3, '<', None, None, None, -1, -1, 0) of plain numbers.
void SetTypeState(const Pickle& pickle, const Values& state, PickleValue& type) {
  if (Is(pickle, state, 1, PickleKind::kText) && pickle[state[1]].text.size() == 1) {
    type.storage_type[0] = pickle[state[1]].text[0];
  }
}

// (version, shape, dtype, is column-major, bytes or a list of objects).
void SetArrayState(const Pickle& pickle, const Values& state, PickleValue& array) {
  const bool is_plain = Is(pickle, state, 2, PickleKind::kArrayType) &&
                        Is(pickle, state, 3, PickleKind::kBool) &&
                        Is(pickle, state, 4, PickleKind::kText);
  const auto shape = is_plain ? Extents(pickle, state[1]) : std::nullopt;
  if (!shape) return;
  array.shape = *shape;
  array.storage_type = pickle[state[2]].storage_type;
  array.number = pickle[state[3]].number;
  array.items = {state[4]};
}

std::string AfterLastDot(const std::string& name) { return name.substr(name.rfind('.') + 1); }

}  // namespace

std::optional<PickleValue> TorchStorage(const Pickle& pickle, const PickleValue& id) {
  const Values& parts = id.items;
  const bool is_storage =
      id.kind == PickleKind::kTuple && Is(pickle, parts, 0, PickleKind::kText) &&
      pickle[parts[0]].text == "storage" && Is(pickle, parts, 1, PickleKind::kGlobal) &&
      ClassifyGlobal(pickle[parts[1]].text) == PickleGlobal::kStorageType &&
      Is(pickle, parts, 2, PickleKind::kText) && Is(pickle, parts, 4, PickleKind::kInt);
  if (!is_storage || pickle[parts[4]].number < 0 || pickle[parts[2]].text.size() > kMaxKeyBytes) {
    return std::nullopt;
  }
  return PickleValue{.kind = PickleKind::kStorage,
                     .number = pickle[parts[4]].number,
                     .text = pickle[parts[2]].text,
                     .storage_type = AfterLastDot(pickle[parts[1]].text)};
}

std::optional<PickleValue> TorchTensor(const Pickle& pickle, const std::vector<PickleId>& arguments,
                                       bool has_type) {
  const bool is_tensor = arguments.size() >= 4 && Is(pickle, arguments, 0, PickleKind::kStorage) &&
                         Is(pickle, arguments, 1, PickleKind::kInt) &&
                         pickle[arguments[1]].number >= 0 &&
                         (!has_type || Is(pickle, arguments, 6, PickleKind::kGlobal));
  if (!is_tensor) return std::nullopt;
  const auto shape = Extents(pickle, arguments[2]);
  const auto strides = Extents(pickle, arguments[3]);
  if (!shape || !strides || shape->size() != strides->size()) return std::nullopt;
  return PickleValue{
      .kind = PickleKind::kTensor,
      .number = pickle[arguments[1]].number,
      .storage_type = has_type ? AfterLastDot(pickle[arguments[6]].text) : std::string(),
      .items = {arguments[0]},
      .shape = *shape,
      .strides = *strides};
}

PickleValue NumpyCall(const Pickle& pickle, const std::string& name,
                      const std::vector<PickleId>& arguments) {
  if (name == "numpy.dtype") return CallType(pickle, arguments);
  if (name == "_codecs.encode") return CallEncode(pickle, arguments);
  if (name.ends_with(".multiarray.scalar")) return CallScalar(pickle, arguments);
  if (name.ends_with(".multiarray._reconstruct")) return {.kind = PickleKind::kArray};
  if (name.ends_with(".numeric._frombuffer")) return CallFromBuffer(pickle, arguments);
  return {.kind = PickleKind::kOpaque};
}

void SetNumpyState(const Pickle& pickle, const PickleValue& state, PickleValue& value) {
  if (value.kind == PickleKind::kArrayType) SetTypeState(pickle, state.items, value);
  if (value.kind == PickleKind::kArray) SetArrayState(pickle, state.items, value);
}

}  // namespace aim
