// Cleaning of prompts before they are cut into tokens.
#pragma once

#include <string>

namespace aim {

// What the reference makes of a prompt with ftfy.fix_text, html.unescape (twice) and a collapse of
// white space (docs/reference/wan22.md 4.6): HTML references become characters, full- and
// half-width forms the usual ones, curly quotes straight, Latin ligatures letters, C1 controls
// Windows-1252; control characters and terminal escapes go; NFC; every run of white space becomes
// one space, none at the ends. "一，二 &amp;amp; ＡＢＣ\n" -> "一,二 & ABC".
//
// Two things are left out: repair of text that was decoded with the wrong encoding, and the rarer
// names of HTML 5 (those of HTML 4, those that need no ';' and those of ASCII characters are here).
// Bytes that are no UTF-8 become U+FFFD.
std::string CleanPromptText(const std::string& text);

}  // namespace aim
