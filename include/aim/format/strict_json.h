// JSON objects out of untrusted files.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace aim {

// Throws FormatError naming `where` unless the text is one JSON object, at most 8 levels deep, that
// names no key twice: a parser would keep one of the two silently.
nlohmann::json ParseJsonObject(std::string_view text, const std::string& where);

}  // namespace aim
