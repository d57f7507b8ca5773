// msgpack: values out of untrusted bytes and into bytes, as policy servers and simulators exchange
// them. https://github.com/msgpack/msgpack/blob/master/spec.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace aim {

// Bytes that are no text.
struct MsgpackBin {
  std::string bytes;
};

// Keys are text or bytes: NumPy's array maps in the form of openpi have bytes. (A template, because
// a value holds entries and an entry a value.)
template <class Value>
struct MsgpackEntryOf {
  std::string key;
  Value value;
  bool is_bin_key = false;
};

// Integers are int64_t where that holds them; std::string is UTF-8.
struct MsgpackValue {
  using List = std::vector<MsgpackValue>;
  // In the order of the message, no key twice.
  using Map = std::vector<MsgpackEntryOf<MsgpackValue>>;

  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, MsgpackBin, List, Map>
      value = {};

  MsgpackValue() = default;
  template <class T>
  MsgpackValue(T v) : value(std::move(v)) {}  // NOLINT: a value is written as what it holds
  MsgpackValue(const char* text) : value(std::string(text)) {}  // NOLINT
  MsgpackValue(int number) : value(int64_t{number}) {}          // NOLINT

  template <class T>
  const T* As() const {
    return std::get_if<T>(&value);
  }
};

using MsgpackEntry = MsgpackEntryOf<MsgpackValue>;

// The value under `key`, text or bytes; null if there is none or `map` is no map.
const MsgpackValue* Find(const MsgpackValue& map, std::string_view key);

// What an error shows of a value: "nil", "7", "a text", "a list of 3".
std::string ShownMsgpack(const MsgpackValue& value);

struct MsgpackLimits {
  size_t max_depth = 16;  // lists and maps in one another
  // All together: a value takes some 80 bytes of memory, but may be one byte of a message.
  size_t max_values = 100'000;
};

// The one value that `bytes` are. Throws FormatError, naming `where` and the byte, for a message
// that is cut short, goes on after its value, exceeds the limits, or holds what is not read here
// (extension types, keys that are neither text nor bytes, text that is no UTF-8, a key twice).
// Never allocates more than the bytes and the limits account for.
MsgpackValue ParseMsgpack(std::string_view bytes, const std::string& where,
                          const MsgpackLimits& limits = {});

// Every value in its shortest form; numbers that are double stay so.
std::string ToMsgpack(const MsgpackValue& value);

}  // namespace aim
