// JSON out of untrusted bytes.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace aim {

// Objects and lists in one another that a file may have: copying and printing a value recurse.
inline constexpr size_t kMaxJsonDepth = 64;

// How deep the brackets of a text are nested, those inside of quotes not counted. Any bytes.
size_t JsonDepth(std::string_view text);

// The value; a discarded one (is_discarded()) if the text is no JSON or nested deeper than
// kMaxJsonDepth. A byte order mark is passed over, and text in UTF-16 behind one is read.
nlohmann::json ParseJson(std::string_view text);

}  // namespace aim
