// The normalisation table inside SentencePiece models ("precompiled charsmap").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aim {

// Layout: uint32 size, a double-array trie of that many bytes (uint32 units, little-endian), then
// the replacements, each ended by a zero byte. A key's value is where its replacement begins.
class Charsmap {
 public:
  // Throws FormatError, naming `where`, if the bytes break that layout.
  Charsmap(std::string_view bytes, const std::string& where);

  // As Hugging Face's tokenizers do it, which differs from SentencePiece's longest match: a
  // grapheme cluster below six bytes is replaced by the replacement of the shortest key that it
  // begins with, else each of its characters for itself. `text` is valid UTF-8, and so is the
  // result.
  std::string Apply(std::string_view text) const;

 private:
  std::optional<std::string_view> Find(std::string_view text) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace aim
