#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"
#include "text/charsmap.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 8;           // of sequences within sequences
constexpr size_t kMaxShownBytes = 60;  // of a value in an error

[[noreturn]] void FailJson(const std::string& where, const std::string& got,
                           const std::string& expected) {
  throw FormatError({.where = where,
                     .got = got,
                     .expected = expected,
                     .fix = "take tokenizer.json from the release, or spiece.model beside it"});
}

std::string Shown(const json& value) {
  if (value.is_structured()) return value.is_array() ? "a list" : "an object";
  const std::string text = DumpJson(value);
  return text.size() <= kMaxShownBytes ? text : text.substr(0, kMaxShownBytes) + "...";
}

// A field of an object that must be there.
const json& Field(const json& object, const char* name, const std::string& where) {
  if (!object.is_object()) FailJson(where, Shown(object), "an object");
  const auto found = object.find(name);
  if (found == object.end()) FailJson(where + "." + name, "missing", "a value");
  return *found;
}

std::string TextField(const json& object, const char* name, const std::string& where) {
  const json& value = Field(object, name, where);
  if (!value.is_string()) FailJson(where + "." + name, Shown(value), "a text");
  return value.get<std::string>();
}

bool FlagField(const json& object, const char* name, bool otherwise, const std::string& where) {
  const auto found = object.find(name);
  if (found == object.end()) return otherwise;
  if (!found->is_boolean()) FailJson(where + "." + name, Shown(*found), "true or false");
  return found->get<bool>();
}

const json& ListField(const json& object, const char* name, const std::string& where) {
  const json& value = Field(object, name, where);
  if (!value.is_array()) FailJson(where + "." + name, Shown(value), "a list");
  return value;
}

int64_t ReadId(const json& value, int64_t below, const std::string& where) {
  const std::string expected = "an id from 0 to " + std::to_string(below - 1);
  if (!value.is_number_integer()) FailJson(where, Shown(value), expected);
  const bool is_small = value.is_number_unsigned() ? value.get<uint64_t>() < uint64_t{1} << 62
                                                   : value.get<int64_t>() >= 0;
  if (!is_small || value.get<int64_t>() >= below) FailJson(where, Shown(value), expected);
  return value.get<int64_t>();
}

// "[3]" behind the name of a list.
std::string Element(const std::string& where, size_t index) {
  return where + "[" + std::to_string(index) + "]";
}

std::optional<size_t> ReadUnknownId(const json& model, size_t num_pieces,
                                    const std::string& where) {
  const auto found = model.find("unk_id");
  if (found == model.end() || found->is_null()) return std::nullopt;
  return static_cast<size_t>(ReadId(*found, static_cast<int64_t>(num_pieces), where + ".unk_id"));
}

Unigram ReadModel(const json& file, const std::string& where) {
  const json& model = Field(file, "model", where);
  const std::string place = where + ": model";
  const std::string type = model.contains("type") ? TextField(model, "type", place) : "Unigram";
  if (type != "Unigram") FailJson(place + ".type", type, "Unigram, the only one known here");
  const json& vocab = ListField(model, "vocab", place);
  std::vector<ScoredPiece> pieces;
  pieces.reserve(vocab.size());
  for (const json& entry : vocab) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      FailJson(Element(place + ".vocab", pieces.size()), Shown(entry), "[piece, score]");
    }
    pieces.push_back({entry[0].get<std::string>(), entry[1].get<double>()});
  }
  const UnigramOptions options = {.unknown = ReadUnknownId(model, pieces.size(), place),
                                  .byte_fallback = FlagField(model, "byte_fallback", false, place)};
  return Unigram(std::move(pieces), options, place);
}

// A pattern that repeats one plain character: " {2,}" or " +".
struct Repeat {
  std::string character;
  size_t at_least;
};

std::optional<Repeat> ParseRepeat(const std::string& pattern) {
  if (pattern.empty()) return std::nullopt;
  const std::string character = pattern.substr(0, Utf8Length(pattern[0]));
  const std::string rest = pattern.substr(character.size());
  const std::string special = ".^$|()[]{}*+?\\";
  if (special.find(character) != special.npos) return std::nullopt;
  if (rest == "+") return Repeat{character, 1};
  const bool is_count = rest.size() == 4 && rest[0] == '{' && rest[1] >= '1' && rest[1] <= '9' &&
                        rest.substr(2) == ",}";
  if (is_count) return Repeat{character, static_cast<size_t>(rest[1] - '0')};
  return std::nullopt;
}

std::string ReplaceRuns(std::string_view text, const Repeat& repeat, const std::string& to) {
  std::string out;
  while (!text.empty()) {
    size_t count = 0;
    size_t bytes = 0;
    while (text.substr(bytes, repeat.character.size()) == repeat.character) {
      bytes += repeat.character.size();
      ++count;
    }
    if (count == 0) {
      bytes = Utf8Length(text[0]);
      out += text.substr(0, bytes);
    } else if (count >= repeat.at_least) {
      out += to;
    } else {
      out += text.substr(0, bytes);
    }
    text.remove_prefix(bytes);
  }
  return out;
}

TextStep ReadReplace(const json& step, const std::string& where) {
  const json& pattern = Field(step, "pattern", where);
  const std::string to = TextField(step, "content", where);
  if (pattern.is_object() && pattern.contains("String")) {
    const std::string from = TextField(pattern, "String", where + ".pattern");
    if (from.empty()) FailJson(where + ".pattern.String", "empty", "a text to replace");
    return [from, to](const std::string& text) { return ReplaceAll(text, from, to); };
  }
  const std::string regex = TextField(pattern, "Regex", where + ".pattern");
  const std::optional<Repeat> repeat = ParseRepeat(regex);
  if (!repeat) {
    FailJson(where + ".pattern.Regex", "\"" + regex + "\"",
             "one repeated character, \" {2,}\" or \" +\", the only patterns known here");
  }
  return [repeat = *repeat, to](const std::string& text) { return ReplaceRuns(text, repeat, to); };
}

TextStep ReadStrip(const json& step, const std::string& where) {
  const bool left = FlagField(step, "strip_left", true, where);
  const bool right = FlagField(step, "strip_right", true, where);
  return [left, right](const std::string& text) {
    const std::u32string codes = DecodeUtf8(text);
    size_t begin = 0;
    size_t end = codes.size();
    while (left && begin < end && IsWhiteSpace(codes[begin])) ++begin;
    while (right && end > begin && IsWhiteSpace(codes[end - 1])) --end;
    return EncodeUtf8(std::u32string_view(codes).substr(begin, end - begin));
  };
}

TextStep ReadCharsmap(const json& step, const std::string& where) {
  const std::optional<std::string> bytes =
      DecodeBase64(TextField(step, "precompiled_charsmap", where));
  if (!bytes) FailJson(where + ".precompiled_charsmap", "no base64", "base64 text");
  const auto map = std::make_shared<const Charsmap>(*bytes, where);
  return [map](const std::string& text) { return map->Apply(text); };
}

bool IsEmptyText(const json& value) {
  return value.is_string() && value.get_ref<const std::string&>().empty();
}

void ReadNormalizer(const json& step, const std::string& where, int depth,
                    std::vector<TextStep>& steps) {
  if (step.is_null()) return;
  const std::string type = TextField(step, "type", where);
  if (depth > kMaxDepth) FailJson(where, "nested too deeply", "a flat sequence");
  if (type == "Sequence") {
    const json& list = ListField(step, "normalizers", where);
    for (size_t i = 0; i < list.size(); ++i) {
      ReadNormalizer(list[i], Element(where, i), depth + 1, steps);
    }
  } else if (type == "Precompiled") {
    // An empty table changes nothing.
    const auto map = step.find("precompiled_charsmap");
    if (map != step.end() && (map->is_null() || IsEmptyText(*map))) return;
    steps.push_back(ReadCharsmap(step, where));
  } else if (type == "Replace") {
    steps.push_back(ReadReplace(step, where));
  } else if (type == "Strip") {
    steps.push_back(ReadStrip(step, where));
  } else if (type == "Prepend") {
    const std::string mark = TextField(step, "prepend", where);
    steps.push_back([mark](const std::string& text) { return text.empty() ? text : mark + text; });
  } else if (type == "NFC") {
    steps.push_back([](const std::string& text) { return EncodeUtf8(ToNfc(DecodeUtf8(text))); });
  } else {
    FailJson(where + ".type", type, "Sequence, Precompiled, Replace, Strip, Prepend or NFC");
  }
}

// Files before 2024 say add_prefix_space instead of prepend_scheme.
SplitStep ReadMetaspace(const json& step, const std::string& where) {
  MetaspaceOptions options;
  options.mark = TextField(step, "replacement", where);
  if (DecodeUtf8(options.mark).size() != 1) {
    FailJson(where + ".replacement", "\"" + options.mark + "\"", "one character");
  }
  options.split = FlagField(step, "split", true, where);
  options.prepend =
      FlagField(step, "add_prefix_space", true, where) ? Prepend::kAlways : Prepend::kNever;
  if (step.contains("prepend_scheme")) {
    const std::string scheme = TextField(step, "prepend_scheme", where);
    const std::map<std::string, Prepend> schemes = {
        {"always", Prepend::kAlways}, {"first", Prepend::kFirst}, {"never", Prepend::kNever}};
    const auto found = schemes.find(scheme);
    if (found == schemes.end()) {
      FailJson(where + ".prepend_scheme", "\"" + scheme + "\"", "always, first or never");
    }
    options.prepend = found->second;
  }
  return Metaspace(options);
}

void ReadPreTokenizer(const json& step, const std::string& where, int depth,
                      std::vector<SplitStep>& steps) {
  if (step.is_null()) return;
  const std::string type = TextField(step, "type", where);
  if (depth > kMaxDepth) FailJson(where, "nested too deeply", "a flat sequence");
  if (type == "Sequence") {
    const json& list = ListField(step, "pretokenizers", where);
    for (size_t i = 0; i < list.size(); ++i) {
      ReadPreTokenizer(list[i], Element(where, i), depth + 1, steps);
    }
  } else if (type == "WhitespaceSplit") {
    steps.push_back(SplitAtWhiteSpace);
  } else if (type == "Metaspace") {
    steps.push_back(ReadMetaspace(step, where));
  } else {
    FailJson(where + ".type", type, "Sequence, WhitespaceSplit or Metaspace");
  }
}

// Ids that one token of a template stands for.
void AppendTemplateToken(const json& step, const json& entry, const std::string& where,
                         std::vector<int64_t>& ids) {
  const std::string name = TextField(Field(entry, "SpecialToken", where), "id", where);
  const std::string place = where + ".special_tokens";
  const json& token = Field(Field(step, "special_tokens", where), name.c_str(), place);
  constexpr int64_t kBelow = int64_t{1} << 31;
  for (const json& id : ListField(token, "ids", place)) ids.push_back(ReadId(id, kBelow, place));
}

void ReadPostProcessor(const json& step, const std::string& where, int depth,
                       TokenizerParts& parts) {
  if (step.is_null()) return;
  const std::string type = TextField(step, "type", where);
  if (depth > kMaxDepth) FailJson(where, "nested too deeply", "a flat sequence");
  if (type == "Sequence") {
    const json& list = ListField(step, "processors", where);
    for (size_t i = 0; i < list.size(); ++i) {
      ReadPostProcessor(list[i], Element(where, i), depth + 1, parts);
    }
    return;
  }
  if (type != "TemplateProcessing") {
    FailJson(where + ".type", type, "Sequence or TemplateProcessing");
  }
  std::vector<int64_t> before;
  std::vector<int64_t> behind;
  int num_texts = 0;
  for (const json& entry : ListField(step, "single", where)) {
    if (entry.is_object() && entry.contains("Sequence")) {
      ++num_texts;
    } else {
      AppendTemplateToken(step, entry, where, num_texts == 0 ? before : behind);
    }
  }
  if (num_texts != 1) {
    FailJson(where + ".single", "with " + std::to_string(num_texts) + " texts", "one text");
  }
  parts.prefix.insert(parts.prefix.begin(), before.begin(), before.end());
  parts.suffix.insert(parts.suffix.end(), behind.begin(), behind.end());
}

// Tokens that the vocabulary has keep its id, others are numbered on behind it.
void ReadAddedTokens(const json& file, const std::string& where, TokenizerParts& parts) {
  const auto list = file.find("added_tokens");
  if (list == file.end() || list->is_null()) return;
  const std::string name = where + ": added_tokens";
  if (!list->is_array()) FailJson(name, Shown(*list), "a list");
  const auto num_pieces = static_cast<int64_t>(parts.model.size());
  const int64_t below = num_pieces + static_cast<int64_t>(list->size());
  std::vector<AddedToken> raw;
  std::vector<AddedToken> normalized;
  for (size_t i = 0; i < list->size(); ++i) {
    const json& entry = (*list)[i];
    const std::string place = Element(name, i);
    AddedToken token;
    token.content = TextField(entry, "content", place);
    token.id = ReadId(Field(entry, "id", place), below, place + ".id");
    token.takes_space_before = FlagField(entry, "lstrip", false, place);
    token.takes_space_behind = FlagField(entry, "rstrip", false, place);
    if (FlagField(entry, "single_word", false, place)) {
      FailJson(place + ".single_word", "true", "false, the only value known here");
    }
    const std::optional<int64_t> id = parts.model.Find(token.content);
    if (id ? *id != token.id : token.id < num_pieces) {
      FailJson(place + ".id", std::to_string(token.id),
               id ? "the id of this piece, " + std::to_string(*id)
                  : "an id behind the vocabulary, from " + std::to_string(num_pieces));
    }
    parts.vocab_size = std::max(parts.vocab_size, token.id + 1);
    if (FlagField(entry, "normalized", true, place)) {
      token.content = parts.Normalize(token.content);
      normalized.push_back(token);
    } else {
      raw.push_back(token);
    }
  }
  parts.raw_tokens = AddedTokenSet(raw);
  parts.normalized_tokens = AddedTokenSet(normalized);
}

const json& OptionalField(const json& object, const char* name) {
  static const json nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

}  // namespace

Tokenizer Tokenizer::FromJson(std::string_view text, const std::string& where) {
  const json file = ParseJson(text);
  if (!file.is_object()) {
    FailJson(where, file.is_discarded() ? "no JSON, or nested too deeply" : Shown(file),
             "the object of a tokenizer.json");
  }
  auto parts = std::make_shared<TokenizerParts>(TokenizerParts{.model = ReadModel(file, where),
                                                               .raw_tokens = {},
                                                               .normalized_tokens = {},
                                                               .normalizers = {},
                                                               .pre_tokenizers = {},
                                                               .prefix = {},
                                                               .suffix = {}});
  parts->vocab_size = static_cast<int64_t>(parts->model.size());
  ReadNormalizer(OptionalField(file, "normalizer"), where + ": normalizer", 0, parts->normalizers);
  ReadPreTokenizer(OptionalField(file, "pre_tokenizer"), where + ": pre_tokenizer", 0,
                   parts->pre_tokenizers);
  ReadAddedTokens(file, where, *parts);
  ReadPostProcessor(OptionalField(file, "post_processor"), where + ": post_processor", 0, *parts);
  for (const std::vector<int64_t>* ids : {&parts->prefix, &parts->suffix}) {
    for (const int64_t id : *ids) {
      if (id < parts->vocab_size) continue;
      FailJson(where + ": post_processor", "with the id " + std::to_string(id),
               "an id below " + std::to_string(parts->vocab_size));
    }
  }
  return Tokenizer(std::move(parts));
}

}  // namespace aim
