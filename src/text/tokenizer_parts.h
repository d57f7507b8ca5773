// What a tokenizer consists of, whichever file it came from.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "aim/text/tokenizer.h"
#include "text/unigram.h"

namespace aim {

// A token that is recognised as a whole, before the text is cut into words.
struct AddedToken {
  std::string content;
  int64_t id = 0;
  bool takes_space_before = false;
  bool takes_space_behind = false;
};

// A stretch of text between added tokens, or a word of it.
struct TextPart {
  std::string text;
  bool is_first = false;  // begins where the whole text does
};

// Finds added tokens, the longest at each place.
class AddedTokenSet {
 public:
  AddedTokenSet() = default;
  explicit AddedTokenSet(const std::vector<AddedToken>& tokens);

  struct Section {
    std::string_view text;  // empty for a token
    int64_t id = -1;        // below zero for text
  };
  // The tokens in `text` and what stands between them, in order.
  std::vector<Section> Split(std::string_view text) const;

 private:
  const AddedToken* Find(std::string_view text) const;

  std::array<std::vector<AddedToken>, 256> by_first_byte_;  // longest first
};

using TextStep = std::function<std::string(const std::string&)>;
using SplitStep = std::function<std::vector<TextPart>(const TextPart&)>;

// Text -> added tokens -> normalizers -> added tokens that are looked for in normalized text ->
// pre-tokenizers -> pieces -> template.
struct TokenizerParts {
  Unigram model;
  AddedTokenSet raw_tokens;
  AddedTokenSet normalized_tokens;
  std::vector<TextStep> normalizers;
  std::vector<SplitStep> pre_tokenizers;
  std::vector<int64_t> prefix;  // ids that stand before every text, and behind it
  std::vector<int64_t> suffix;
  int64_t vocab_size = 0;

  std::string Normalize(const std::string& text) const;
};

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to);

// Words between white space.
std::vector<TextPart> SplitAtWhiteSpace(const TextPart& part);

enum class Prepend { kAlways, kFirst, kNever };

struct MetaspaceOptions {
  std::string mark = "\u2581";  // stands for a space
  Prepend prepend =
      Prepend::kAlways;  // before which parts a mark is put, unless they begin with one
  bool split = true;     // a new part at each mark
};
SplitStep Metaspace(const MetaspaceOptions& options);

}  // namespace aim
