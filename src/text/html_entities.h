// HTML character references as Python's html.unescape reads them.
#pragma once

#include <string>
#include <string_view>

namespace aim {

// Named references of HTML 4, those that need no ';', those of ASCII characters, and all numeric
// ones: "&lt;b&gt &amp;notit; &#x4e2d" -> "<b> &notit; 中". Unknown names stay.
std::u32string UnescapeHtml(std::u32string_view text);

// The cautious form that ftfy begins with: only references that end in ';', and names of letters
// in capitals too ("&NTILDE;").
std::u32string UnescapeHtmlStrictly(std::u32string_view text);

// What Windows-1252 has at the place of a C1 control, U+0080..U+009F.
char32_t WindowsCharacter(char32_t control);

}  // namespace aim
