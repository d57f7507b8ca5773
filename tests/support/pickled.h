// Writes pickles byte by byte, so that each can be broken in one place.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aim::testing {

inline std::span<const std::byte> AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

template <class Integer>
std::string Number(Integer value) {
  std::string bytes(sizeof(value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}

inline std::string PickledText(std::string_view text) {
  return "X" + Number(static_cast<uint32_t>(text.size())) + std::string(text);
}

inline std::string PickledInt(int64_t value) { return std::string("\x8a\x08") + Number(value); }

inline std::string PickledTuple(const std::vector<int64_t>& values) {
  std::string text = "(";
  for (const int64_t value : values) text += PickledInt(value);
  return text + "t";
}

// A dict of what is pickled already, as a value.
inline std::string PickledItems(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string text = "}(";
  for (const auto& [key, value] : items) text += PickledText(key) + value;
  return text + "u";
}

// A value as a whole file of protocol 2.
inline std::string PickledFile(const std::string& value) { return "\x80\x02" + value + "."; }

// A list of what is pickled already, as a value.
inline std::string PickledList(const std::vector<std::string>& items) {
  std::string text = "](";
  for (const std::string& item : items) text += item;
  return text + "e";
}

// An object of a class, "module\nname", whose state is pickled already.
inline std::string PickledObject(const std::string& name, const std::string& state) {
  return "c" + name + "\n)\x81" + state + "b";
}

inline std::string PickledBytes(std::string_view bytes) {
  return "B" + Number(static_cast<uint32_t>(bytes.size())) + std::string(bytes);
}

// An array of float64 as numpy 1 pickles it.
inline std::string PickledArray(const std::vector<int64_t>& shape,
                                const std::vector<double>& values) {
  std::string bytes;
  for (const double value : values) bytes += Number(value);
  const std::string type = "cnumpy\ndtype\n(" + PickledText("f8") + "\x89\x88tR(" + PickledInt(3) +
                           PickledText("<") + "NNN" + PickledInt(-1) + PickledInt(-1) +
                           PickledInt(0) + "tb";
  return "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + PickledTuple({0}) +
         PickledBytes("b") + "tR(" + PickledInt(1) + PickledTuple(shape) + type + "\x89" +
         PickledBytes(bytes) + "tb";
}

}  // namespace aim::testing
