#include "aim/base/parse_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "aim/base/utf8.h"

namespace aim {

size_t JsonDepth(std::string_view text) {
  size_t depth = 0;
  size_t deepest = 0;
  bool is_quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      is_quoted = !is_quoted;
    } else if (is_quoted) {
      if (c == '\\') ++i;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

nlohmann::json ParseJson(std::string_view text) {
  const std::string plain = WithoutByteOrderMark(text);
  if (JsonDepth(plain) > kMaxJsonDepth) return nlohmann::json(nlohmann::json::value_t::discarded);
  return nlohmann::json::parse(plain, nullptr, false);
}

}  // namespace aim
