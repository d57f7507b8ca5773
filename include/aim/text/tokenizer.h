// The tokenizer of UMT5: text to the ids of a Unigram vocabulary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace aim {

struct TokenizerParts;

// Reads both files that the release has; they give the same ids. Where Hugging Face's tokenizer and
// SentencePiece differ, ids are those of the former: its normalisation works on grapheme clusters
//, white space of any kind separates words, and special tokens typed in a text
// ("</s>", "<extra_id_0>") are recognised. docs/reference/wan22.md 4.6.
//
// Copies share their tables. `const` methods are thread-safe.
class Tokenizer {
 public:
  // A tokenizer.json or SentencePiece model (told apart by content), or a folder with
  // tokenizer.json or else spiece.model. Beside a SentencePiece model, "extra_ids" of a
  // tokenizer_config.json says how many sentinels follow the pieces, else there are 300, as in
  // UMT5. Throws InputError if there is no such file, FormatError if it is damaged or holds a part
  // that is unknown here.
  static Tokenizer Open(const std::filesystem::path& path);

  // Content of a tokenizer.json; `where` names it in errors. Its "truncation" and "padding" are
  // left to the caller. Parts known: model Unigram; normalizers Sequence, Precompiled, Replace,
  // Strip, Prepend, NFC; pre-tokenizers Sequence, WhitespaceSplit, Metaspace; post-processors
  // Sequence, TemplateProcessing. Throws FormatError.
  static Tokenizer FromJson(std::string_view text, const std::string& where);

  // Content of a spiece.model of the Unigram type. `num_sentinels` ids follow the pieces:
  // "<extra_id_N-1>" first, "<extra_id_0>" last. Throws FormatError.
  static Tokenizer FromSentencePiece(std::string_view bytes, const std::string& where,
                                     int num_sentinels = 300);

  // Ids of `text`, at most max_tokens: a text that is too long loses its end. What the
  // post-processor adds (UMT5: </s> behind the text) always stays. Bytes that are no UTF-8 count as
  // U+FFFD. Throws InputError if max_tokens has no room for those, or for a character without an
  // id.
  std::vector<int64_t> Encode(const std::string& text, int64_t max_tokens) const;

  // One more than the largest id.
  int64_t vocab_size() const;

 private:
  explicit Tokenizer(std::shared_ptr<const TokenizerParts> parts) : parts_(std::move(parts)) {}

  std::shared_ptr<const TokenizerParts> parts_;
};

}  // namespace aim
