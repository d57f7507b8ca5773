// UTF-8, and texts of other encodings that become it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace aim {

// Every byte that is not part of valid UTF-8 becomes U+FFFD.
std::u32string DecodeUtf8(std::string_view text);
std::string EncodeUtf8(std::u32string_view text);
void AppendUtf8(std::string& out, char32_t code);
bool IsValidUtf8(std::string_view text);

// Bytes of the valid character that begins with `lead`.
size_t Utf8Length(char lead);

// A text that a person wrote, as UTF-8 without byte order mark: UTF-16 is told by its mark, or by
// its zero bytes where it has none; what is no UTF-8 is taken for Latin-1.
std::string ToUtf8(std::string_view bytes);

// The same for the text of a file whose format asks for UTF-8: what a byte order mark tells, and
// nothing else.
std::string WithoutByteOrderMark(std::string_view bytes);

}  // namespace aim
