#include "aim/format/msgpack.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/overloaded.h"
#include "aim/base/text.h"
#include "aim/base/utf8.h"

namespace aim {
namespace {

class MsgpackReader {
 public:
  MsgpackReader(std::string_view bytes, const std::string& where, const MsgpackLimits& limits)
      : bytes_(bytes), where_(where), limits_(limits) {}

  MsgpackValue ReadWhole() {
    MsgpackValue value = ReadValue(0);
    if (at_ != bytes_.size()) Fail("going on behind its value", "one value a message");
    return value;
  }

 private:
  [[noreturn]] void Fail(const std::string& got, const std::string& expected) const {
    throw FormatError({.where = where_,
                       .got = "at byte " + std::to_string(at_) + " " + got,
                       .expected = expected,
                       .fix = ""});
  }

  std::string_view Take(size_t count) {
    if (count > bytes_.size() - at_) {
      Fail("cut short", std::to_string(count) + " more bytes, where " +
                            std::to_string(bytes_.size() - at_) + " are left");
    }
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }

  // Numbers are big-endian.
  uint64_t TakeNumber(size_t num_bytes) {
    uint64_t number = 0;
    for (const char byte : Take(num_bytes)) number = number << 8 | static_cast<uint8_t>(byte);
    return number;
  }

  MsgpackValue ReadSigned(size_t num_bytes) {
    const uint64_t number = TakeNumber(num_bytes);
    const int unused_bits = 64 - 8 * static_cast<int>(num_bytes);
    return static_cast<int64_t>(number << unused_bits) >> unused_bits;
  }

  MsgpackValue ReadUnsigned(size_t num_bytes) {
    const uint64_t number = TakeNumber(num_bytes);
    if (number > static_cast<uint64_t>(INT64_MAX)) return number;
    return static_cast<int64_t>(number);
  }

  std::string ReadText(size_t size_bytes) {
    const std::string_view text = Take(size_bytes);
    if (!IsValidUtf8(text)) Fail("behind text that is no UTF-8", "UTF-8, or bytes as bin");
    return std::string(text);
  }

  // Each item takes a byte at least, so that a declared count is bounded before memory is taken.
  void CheckCount(size_t count, size_t bytes_each, int depth) {
    if (count > (bytes_.size() - at_) / bytes_each) {
      Fail("cut short", std::to_string(count) + " more items");
    }
    if (static_cast<size_t>(depth) >= limits_.max_depth) {
      Fail("nested too deep",
           "at most " + std::to_string(limits_.max_depth) + " lists and maps in one another");
    }
  }

  MsgpackValue ReadList(size_t count, int depth) {
    CheckCount(count, 1, depth);
    MsgpackValue::List list;
    for (size_t i = 0; i < count; ++i) list.push_back(ReadValue(depth + 1));
    return list;
  }

  MsgpackValue ReadMap(size_t count, int depth) {
    CheckCount(count, 2, depth);
    MsgpackValue::Map map;
    for (size_t i = 0; i < count; ++i) {
      MsgpackValue key = ReadValue(depth + 1);
      MsgpackEntry entry;
      if (auto* text = std::get_if<std::string>(&key.value)) {
        entry.key = std::move(*text);
      } else if (auto* bin = std::get_if<MsgpackBin>(&key.value)) {
        entry.key = std::move(bin->bytes);
        entry.is_bin_key = true;
      } else {
        Fail("behind a key that is " + ShownMsgpack(key), "keys that are text or bytes");
      }
      entry.value = ReadValue(depth + 1);
      map.push_back(std::move(entry));
    }
    RefuseTwins(map);
    return map;
  }

  void RefuseTwins(const MsgpackValue::Map& map) const {
    std::vector<std::string_view> keys;
    for (const MsgpackEntry& entry : map) keys.push_back(entry.key);
    std::sort(keys.begin(), keys.end());
    const auto twin = std::adjacent_find(keys.begin(), keys.end());
    if (twin != keys.end()) Fail("behind the key " + Excerpt(*twin) + " twice", "each key once");
  }

  MsgpackValue ReadValue(int depth) {
    if (++num_values_ > limits_.max_values) {
      Fail("of more values than are read", "at most " + std::to_string(limits_.max_values));
    }
    const auto type = static_cast<uint8_t>(Take(1)[0]);
    if (type <= 0x7f) return int64_t{type};
    if (type >= 0xe0) return int64_t{static_cast<int8_t>(type)};
    if (type <= 0x8f) return ReadMap(type & 0x0f, depth);
    if (type <= 0x9f) return ReadList(type & 0x0f, depth);
    if (type <= 0xbf) return ReadText(type & 0x1f);
    return ReadTyped(type, depth);
  }

  MsgpackValue ReadTyped(uint8_t type, int depth) {
    switch (type) {
      case 0xc0:
        return {};
      case 0xc2:
      case 0xc3:
        return type == 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return MsgpackBin{std::string(Take(TakeNumber(size_t{1} << (type - 0xc4))))};
      case 0xca:
        return double{std::bit_cast<float>(static_cast<uint32_t>(TakeNumber(4)))};
      case 0xcb:
        return std::bit_cast<double>(TakeNumber(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return ReadUnsigned(size_t{1} << (type - 0xcc));
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return ReadSigned(size_t{1} << (type - 0xd0));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return ReadText(TakeNumber(size_t{1} << (type - 0xd9)));
      case 0xdc:
      case 0xdd:
        return ReadList(TakeNumber(type == 0xdc ? 2 : 4), depth);
      case 0xde:
      case 0xdf:
        return ReadMap(TakeNumber(type == 0xde ? 2 : 4), depth);
      default:
        Fail("behind the type " + std::to_string(type), "no extension types");
    }
  }

  std::string_view bytes_;
  const std::string& where_;
  const MsgpackLimits& limits_;
  size_t at_ = 0;
  size_t num_values_ = 0;
};

class MsgpackWriter {
 public:
  void Write(const MsgpackValue& value) {
    std::visit(Overloaded{[&](std::monostate) { Byte(0xc0); },
                          [&](bool flag) { Byte(flag ? 0xc3 : 0xc2); },
                          [&](int64_t number) { WriteInt(number); },
                          [&](uint64_t number) { WriteUnsigned(number); },
                          [&](double number) {
                            Byte(0xcb);
                            Number(std::bit_cast<uint64_t>(number), 8);
                          },
                          [&](const std::string& text) { WriteText(text); },
                          [&](const MsgpackBin& bin) { WriteBin(bin.bytes); },
                          [&](const MsgpackValue::List& list) {
                            Count(list.size(), 0x90, 0xdc);
                            for (const MsgpackValue& item : list) Write(item);
                          },
                          [&](const MsgpackValue::Map& map) {
                            Count(map.size(), 0x80, 0xde);
                            for (const MsgpackEntry& entry : map) WriteEntry(entry);
                          }},
               value.value);
  }

  std::string Finish() { return std::move(bytes_); }

 private:
  void Byte(unsigned value) { bytes_ += static_cast<char>(value); }

  void Number(uint64_t number, int num_bytes) {
    for (int i = num_bytes - 1; i >= 0; --i) {
      Byte(static_cast<unsigned>(number >> (8 * i) & 0xff));
    }
  }

  // `type` with 1, 2, 4 or 8 bytes behind it, whichever is the shortest.
  void WriteUnsigned(uint64_t number) {
    if (number < 0x80) return Byte(static_cast<unsigned>(number));
    const int power = number <= 0xff ? 0 : number <= 0xffff ? 1 : number <= 0xffffffff ? 2 : 3;
    Byte(0xccu + static_cast<unsigned>(power));
    Number(number, 1 << power);
  }

  void WriteInt(int64_t number) {
    if (number >= 0) return WriteUnsigned(static_cast<uint64_t>(number));
    if (number >= -32) return Byte(static_cast<unsigned>(number) & 0xff);
    const int power = number >= INT8_MIN    ? 0
                      : number >= INT16_MIN ? 1
                      : number >= INT32_MIN ? 2
                                            : 3;
    Byte(0xd0u + static_cast<unsigned>(power));
    Number(static_cast<uint64_t>(number), 1 << power);
  }

  // A length behind its type: 1, 2 or 4 bytes.
  void Length(size_t length, unsigned first_type) {
    AIM_CHECK(length <= UINT32_MAX);
    const int power = length <= 0xff ? 0 : length <= 0xffff ? 1 : 2;
    Byte(first_type + static_cast<unsigned>(power));
    Number(length, 1 << power);
  }

  void WriteText(const std::string& text) {
    if (text.size() < 32) {
      Byte(0xa0 | static_cast<unsigned>(text.size()));
    } else {
      Length(text.size(), 0xd9);
    }
    bytes_ += text;
  }

  void WriteBin(const std::string& bytes) {
    Length(bytes.size(), 0xc4);
    bytes_ += bytes;
  }

  void WriteEntry(const MsgpackEntry& entry) {
    if (entry.is_bin_key) {
      WriteBin(entry.key);
    } else {
      WriteText(entry.key);
    }
    Write(entry.value);
  }

  void Count(size_t count, unsigned short_type, unsigned long_type) {
    AIM_CHECK(count <= UINT32_MAX);
    if (count < 16) return Byte(short_type | static_cast<unsigned>(count));
    const bool is_short = count <= 0xffff;
    Byte(is_short ? long_type : long_type + 1);
    Number(count, is_short ? 2 : 4);
  }

  std::string bytes_;
};

}  // namespace

const MsgpackValue* Find(const MsgpackValue& map, std::string_view key) {
  const auto* entries = map.As<MsgpackValue::Map>();
  if (entries == nullptr) return nullptr;
  for (const MsgpackEntry& entry : *entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

std::string ShownMsgpack(const MsgpackValue& value) {
  return std::visit(
      Overloaded{
          [](std::monostate) -> std::string { return "nil"; },
          [](bool flag) -> std::string { return flag ? "true" : "false"; },
          [](int64_t number) { return std::to_string(number); },
          [](uint64_t number) { return std::to_string(number); },
          [](double number) { return ToText(number); },
          [](const std::string& text) { return Excerpt(text); },
          [](const MsgpackBin& bin) {
            return CountText(static_cast<int64_t>(bin.bytes.size()), "byte");
          },
          [](const MsgpackValue::List& list) { return "a list of " + std::to_string(list.size()); },
          [](const MsgpackValue::Map& map) { return "a map of " + std::to_string(map.size()); }},
      value.value);
}

MsgpackValue ParseMsgpack(std::string_view bytes, const std::string& where,
                          const MsgpackLimits& limits) {
  return MsgpackReader(bytes, where, limits).ReadWhole();
}

std::string ToMsgpack(const MsgpackValue& value) {
  MsgpackWriter writer;
  writer.Write(value);
  return writer.Finish();
}

}  // namespace aim
