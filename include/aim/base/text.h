// Small pieces of messages and files that many modules write.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aim {

// "a, b, c".
std::string Join(const std::vector<std::string>& items, std::string_view separator = ", ");

// "[2, 3, 64, 64]", of tensors and arrays.
std::string ShapeText(std::span<const int64_t> sizes);

// "640x480".
std::string SizeText(int width, int height);

// Frames a second, to four digits: "8.333".
std::string RateText(double fps);

// "1 clip", "7 clips"; of nouns that take an s.
std::string CountText(int64_t count, const std::string& noun);

// "00000000000004d2": sixteen digits of base 16.
std::string HexText(uint64_t value);

// At most `max_bytes` of a text that may be anything, '?' for what is not printable ASCII.
std::string Printable(std::string_view text, size_t max_bytes = 100);

// The same in quotes, as a sentence can show it: at most 60 characters.
std::string Excerpt(std::string_view text);

// JSON as text. Bytes that are not UTF-8 (a path, an error text of a simulator) are replaced, not
// refused. A negative indent puts all on one line.
std::string DumpJson(const nlohmann::json& json, int indent = -1);

}  // namespace aim
