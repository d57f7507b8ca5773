#include "aim/text/tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

// Bytes of white space at the end of `text`.
size_t TrailingSpace(std::string_view text) {
  const std::u32string codes = DecodeUtf8(text);
  size_t bytes = 0;
  for (size_t i = codes.size(); i > 0 && IsWhiteSpace(codes[i - 1]); --i) {
    bytes += EncodeUtf8(codes.substr(i - 1, 1)).size();
  }
  return bytes;
}

size_t LeadingSpace(std::string_view text) {
  size_t bytes = 0;
  while (bytes < text.size()) {
    const std::string_view character = text.substr(bytes, Utf8Length(text[bytes]));
    if (!IsWhiteSpace(DecodeUtf8(character)[0])) break;
    bytes += character.size();
  }
  return bytes;
}

// Sentinels that a tokenizer_config.json beside the model declares.
int SentinelsBeside(const fs::path& model, int otherwise) {
  const fs::path config = model.parent_path() / "tokenizer_config.json";
  if (!fs::exists(config)) return otherwise;
  const nlohmann::json values = ParseJson(ReadFile(config));
  if (!values.is_object() || !values.contains("extra_ids")) return otherwise;
  constexpr int64_t kMost = 100000;
  const nlohmann::json& value = values["extra_ids"];
  if (!value.is_number_unsigned() || value.get<uint64_t>() > kMost) {
    throw FormatError({.where = config.string() + ": extra_ids",
                       .got = value.dump(),
                       .expected = "a number of sentinels, at most " + std::to_string(kMost),
                       .fix = "set it to 300 for UMT5"});
  }
  return value.get<int>();
}

std::vector<TextPart> Words(const TokenizerParts& parts, const TextPart& text) {
  std::vector<TextPart> words = {text};
  for (const SplitStep& step : parts.pre_tokenizers) {
    std::vector<TextPart> smaller;
    for (const TextPart& word : words) {
      if (word.text.empty()) continue;
      for (TextPart& part : step(word)) smaller.push_back(std::move(part));
    }
    words = std::move(smaller);
  }
  return words;
}

// Ids of a text without raw added tokens.
void AppendSection(const TokenizerParts& parts, const TextPart& section,
                   std::vector<int64_t>& ids) {
  bool is_first = section.is_first;
  const std::string normal = parts.Normalize(section.text);
  for (const AddedTokenSet::Section& piece : parts.normalized_tokens.Split(normal)) {
    if (piece.id >= 0) {
      ids.push_back(piece.id);
    } else {
      const TextPart text = {.text = std::string(piece.text), .is_first = is_first};
      for (const TextPart& word : Words(parts, text)) parts.model.Encode(word.text, ids);
    }
    is_first = false;
  }
}

}  // namespace

AddedTokenSet::AddedTokenSet(const std::vector<AddedToken>& tokens) {
  for (const AddedToken& token : tokens) {
    if (token.content.empty()) continue;
    by_first_byte_[static_cast<unsigned char>(token.content[0])].push_back(token);
  }
  for (std::vector<AddedToken>& same_byte : by_first_byte_) {
    std::stable_sort(same_byte.begin(), same_byte.end(),
                     [](const AddedToken& a, const AddedToken& b) {
                       return a.content.size() > b.content.size();
                     });
  }
}

const AddedToken* AddedTokenSet::Find(std::string_view text) const {
  for (const AddedToken& token : by_first_byte_[static_cast<unsigned char>(text[0])]) {
    if (text.substr(0, token.content.size()) == token.content) return &token;
  }
  return nullptr;
}

std::vector<AddedTokenSet::Section> AddedTokenSet::Split(std::string_view text) const {
  std::vector<Section> sections;
  size_t done = 0;
  for (size_t i = 0; i < text.size();) {
    const AddedToken* token = Find(text.substr(i));
    if (token == nullptr) {
      ++i;
      continue;
    }
    size_t begin = i;
    i += token->content.size();
    size_t end = i;
    if (token->takes_space_before) begin -= TrailingSpace(text.substr(0, begin));
    if (token->takes_space_behind) end += LeadingSpace(text.substr(end));
    if (begin > done) sections.push_back({.text = text.substr(done, begin - done)});
    sections.push_back({.text = {}, .id = token->id});
    done = end;
  }
  if (done < text.size()) sections.push_back({.text = text.substr(done)});
  return sections;
}

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  while (true) {
    const size_t found = text.find(from);
    out += text.substr(0, found);
    if (found == text.npos) return out;
    out += to;
    text.remove_prefix(found + from.size());
  }
}

std::string TokenizerParts::Normalize(const std::string& text) const {
  std::string out = text;
  for (const TextStep& step : normalizers) out = step(out);
  return out;
}

std::vector<TextPart> SplitAtWhiteSpace(const TextPart& part) {
  std::vector<TextPart> words;
  bool is_inside = false;
  bool is_first = part.is_first;
  for (const char32_t code : DecodeUtf8(part.text)) {
    const bool is_word = !IsWhiteSpace(code);
    if (is_word && !is_inside) words.push_back({.text = {}, .is_first = is_first});
    if (is_word) AppendUtf8(words.back().text, code);
    is_inside = is_word;
    is_first = false;
  }
  return words;
}

SplitStep Metaspace(const MetaspaceOptions& options) {
  return [options](const TextPart& part) {
    std::string text = ReplaceAll(part.text, " ", options.mark);
    const bool wants_mark = options.prepend == Prepend::kAlways ||
                            (options.prepend == Prepend::kFirst && part.is_first);
    if (wants_mark && text.rfind(options.mark, 0) != 0) text.insert(0, options.mark);
    std::vector<TextPart> parts;
    for (size_t begin = 0; begin < text.size();) {
      const size_t mark = options.split ? text.find(options.mark, begin + 1) : text.npos;
      const size_t end = mark == text.npos ? text.size() : mark;
      parts.push_back(
          {.text = text.substr(begin, end - begin), .is_first = part.is_first && begin == 0});
      begin = end;
    }
    return parts;
  };
}

Tokenizer Tokenizer::Open(const fs::path& path) {
  fs::path file = path;
  if (fs::is_directory(path)) {
    file = path / "tokenizer.json";
    if (!fs::exists(file)) file = path / "spiece.model";
  }
  if (!fs::exists(file)) {
    throw InputError({.where = path.string(),
                      .got = fs::exists(path) ? "without a tokenizer" : "missing",
                      .expected = "tokenizer.json or spiece.model of UMT5, or their folder",
                      .fix = "take google/umt5-xxl/ (or tokenizer/) of the release"});
  }
  const std::string bytes = ReadFile(file);
  const size_t first = bytes.find_first_not_of(" \t\r\n");
  const bool is_json = first != bytes.npos && bytes[first] == '{';
  // The first field of a SentencePiece model is a piece: byte 0x0A, which is white space in JSON.
  if (is_json && (bytes[0] != '\n' || file.extension() == ".json")) {
    return FromJson(bytes, file.string());
  }
  if (file.extension() == ".json") return FromJson(bytes, file.string());
  return FromSentencePiece(bytes, file.string(), SentinelsBeside(file, 300));
}

std::vector<int64_t> Tokenizer::Encode(const std::string& text, int64_t max_tokens) const {
  const TokenizerParts& parts = *parts_;
  const auto added = static_cast<int64_t>(parts.prefix.size() + parts.suffix.size());
  if (max_tokens < added) {
    throw InputError({.where = "number of tokens of a prompt",
                      .got = std::to_string(max_tokens),
                      .expected = "at least " + std::to_string(added),
                      .fix = ""});
  }
  std::vector<int64_t> body;
  const std::string valid = IsValidUtf8(text) ? text : EncodeUtf8(DecodeUtf8(text));
  bool is_first = true;
  for (const AddedTokenSet::Section& raw : parts.raw_tokens.Split(valid)) {
    if (raw.id >= 0) {
      body.push_back(raw.id);
    } else {
      AppendSection(parts, {.text = std::string(raw.text), .is_first = is_first}, body);
    }
    is_first = false;
  }
  body.resize(std::min(body.size(), static_cast<size_t>(max_tokens - added)));
  std::vector<int64_t> ids = parts.prefix;
  ids.insert(ids.end(), body.begin(), body.end());
  ids.insert(ids.end(), parts.suffix.begin(), parts.suffix.end());
  return ids;
}

int64_t Tokenizer::vocab_size() const { return parts_->vocab_size; }

}  // namespace aim
