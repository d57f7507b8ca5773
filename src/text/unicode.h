// The little of Unicode that prompts need beside UTF-8 (base/utf8.h): white space, NFC, width,
// grapheme clusters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "aim/base/utf8.h"

namespace aim {

// The property White_Space.
bool IsWhiteSpace(char32_t code);

// Normalization Form C.
std::u32string ToNfc(std::u32string_view text);

// Full- and half-width forms U+FF01..U+FFEF as their compatibility form, U+3000 as a space.
std::u32string UsualWidth(std::u32string_view text);

// Characters of the extended grapheme cluster that begins at `begin`. Rules GB3-5, 9-9b and 11:
// those of Hangul, flags and Indic conjuncts only make clusters of six bytes or more in UTF-8,
// which the one user of this function treats character by character.
size_t GraphemeLength(std::u32string_view text, size_t begin);

// Bytes of base64 text; nothing if it is not base64.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace aim
