#include "aim/base/text.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace aim {

std::string Join(const std::vector<std::string>& items, std::string_view separator) {
  std::string text;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text += separator;
    text += items[i];
  }
  return text;
}

std::string ShapeText(std::span<const int64_t> sizes) {
  std::string text = "[";
  for (const int64_t size : sizes) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(size);
  }
  return text + "]";
}

std::string SizeText(int width, int height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

std::string RateText(double fps) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", fps);
  return text;
}

std::string CountText(int64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string HexText(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

std::string Printable(std::string_view text, size_t max_bytes) {
  std::string clean;
  for (const char c : text.substr(0, max_bytes)) clean += c >= ' ' && c <= '~' ? c : '?';
  return clean;
}

std::string Excerpt(std::string_view text) {
  constexpr size_t kLongest = 60;
  return '"' + Printable(text, kLongest) + (text.size() > kLongest ? "...\"" : "\"");
}

std::string DumpJson(const nlohmann::json& json, int indent) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace aim
