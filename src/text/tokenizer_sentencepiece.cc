#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "aim/base/error.h"
#include "text/charsmap.h"
#include "text/tokenizer_parts.h"
#include "text/unicode.h"

// sentencepiece_model.proto, as far as it matters here:
//   ModelProto      1 pieces, 2 trainer_spec, 3 normalizer_spec
//   SentencePiece   1 piece, 2 score (float), 3 type
//   TrainerSpec     3 model_type (1 unigram), 35 byte_fallback
//   NormalizerSpec  2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces,
//                   5 escape_whitespaces
namespace aim {
namespace {

enum PieceType : uint64_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4 };

[[noreturn]] void FailPieces(const std::string& where, const std::string& got,
                             const std::string& expected) {
  throw FormatError({.where = where,
                     .got = got,
                     .expected = expected,
                     .fix = "take spiece.model from the release again, or tokenizer.json"});
}

// One field of a protobuf message: its number, and its value as the wire has it.
struct WireField {
  uint64_t number = 0;
  uint64_t value = 0;      // of a varint or fixed-size number
  std::string_view bytes;  // of text, bytes or a message
  bool is_bytes = false;
};

// Reads the fields of a message one after the other; bounds every length by what is there.
class WireReader {
 public:
  WireReader(std::string_view message, std::string where)
      : rest_(message), where_(std::move(where)) {}

  std::optional<WireField> Next() {
    if (rest_.empty()) return std::nullopt;
    const uint64_t tag = Varint();
    WireField field;
    field.number = tag >> 3;
    switch (tag & 7) {
      case 0:
        field.value = Varint();
        break;
      case 1:
        field.value = Fixed(8);
        break;
      case 2:
        field.bytes = Take(Varint());
        field.is_bytes = true;
        break;
      case 5:
        field.value = Fixed(4);
        break;
      default:
        FailPieces(where_, "with wire type " + std::to_string(tag & 7), "a SentencePiece model");
    }
    return field;
  }

 private:
  std::string_view Take(uint64_t size) {
    if (size > rest_.size()) {
      FailPieces(where_,
                 "a field of " + std::to_string(size) + " bytes where " +
                     std::to_string(rest_.size()) + " are left",
                 "a whole SentencePiece model");
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(Take(1)[0]);
      value |= uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    FailPieces(where_, "with a number of more than 64 bits", "a SentencePiece model");
  }

  uint64_t Fixed(size_t size) {
    const std::string_view bytes = Take(size);
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
  }

  std::string_view rest_;
  std::string where_;
};

struct Piece {
  ScoredPiece scored;
  uint64_t type = kNormal;
};

struct Spec {
  uint64_t model_type = 1;
  bool byte_fallback = false;
  std::string_view charsmap;
  bool add_dummy_prefix = true;
  bool remove_extra_spaces = true;
  bool escape_spaces = true;
};

Piece ReadPiece(std::string_view message, const std::string& where) {
  Piece piece;
  WireReader reader(message, where);
  while (const std::optional<WireField> field = reader.Next()) {
    if (field->number == 1 && field->is_bytes) piece.scored.text = field->bytes;
    if (field->number == 2 && !field->is_bytes) {
      piece.scored.score = std::bit_cast<float>(static_cast<uint32_t>(field->value));
    }
    if (field->number == 3 && !field->is_bytes) piece.type = field->value;
  }
  if (piece.scored.text.empty() || !IsValidUtf8(piece.scored.text)) {
    FailPieces(where, piece.scored.text.empty() ? "empty" : "no UTF-8", "a piece of text");
  }
  return piece;
}

void ReadTrainerSpec(std::string_view message, const std::string& where, Spec& spec) {
  WireReader reader(message, where);
  while (const std::optional<WireField> field = reader.Next()) {
    if (field->number == 3) spec.model_type = field->value;
    if (field->number == 35) spec.byte_fallback = field->value != 0;
  }
}

void ReadNormalizerSpec(std::string_view message, const std::string& where, Spec& spec) {
  WireReader reader(message, where);
  while (const std::optional<WireField> field = reader.Next()) {
    if (field->number == 2) spec.charsmap = field->bytes;
    if (field->number == 3) spec.add_dummy_prefix = field->value != 0;
    if (field->number == 4) spec.remove_extra_spaces = field->value != 0;
    if (field->number == 5) spec.escape_spaces = field->value != 0;
  }
}

void CheckSpec(const Spec& spec, const std::string& where) {
  if (spec.model_type != 1) {
    FailPieces(where + ": trainer_spec.model_type", std::to_string(spec.model_type),
               "1 (unigram), the only one known here");
  }
  if (!spec.escape_spaces) {
    FailPieces(where + ": normalizer_spec.escape_whitespaces", "false",
               "true, the only value known here");
  }
}

std::vector<Piece> ReadPieces(std::string_view bytes, const std::string& where, Spec& spec) {
  std::vector<Piece> pieces;
  WireReader reader(bytes, where);
  while (const std::optional<WireField> field = reader.Next()) {
    if (!field->is_bytes) continue;
    if (field->number == 1) {
      pieces.push_back(ReadPiece(field->bytes, where + ": piece " + std::to_string(pieces.size())));
    } else if (field->number == 2) {
      ReadTrainerSpec(field->bytes, where + ": trainer_spec", spec);
    } else if (field->number == 3) {
      ReadNormalizerSpec(field->bytes, where + ": normalizer_spec", spec);
    }
  }
  return pieces;
}

// Sentinels count down: the last id is that of <extra_id_0>.
void AppendSentinels(int count, std::vector<Piece>& pieces) {
  for (int i = count; i-- > 0;) {
    Piece sentinel;
    sentinel.scored.text = "<extra_id_" + std::to_string(i) + ">";
    sentinel.type = kUserDefined;
    pieces.push_back(std::move(sentinel));
  }
}

}  // namespace

Tokenizer Tokenizer::FromSentencePiece(std::string_view bytes, const std::string& where,
                                       int num_sentinels) {
  Spec spec;
  std::vector<Piece> pieces = ReadPieces(bytes, where, spec);
  if (pieces.empty()) FailPieces(where, "without pieces", "a SentencePiece model");
  CheckSpec(spec, where);
  AppendSentinels(num_sentinels, pieces);

  UnigramOptions options{.unknown = std::nullopt, .byte_fallback = spec.byte_fallback};
  std::vector<ScoredPiece> vocabulary;
  std::vector<AddedToken> added;
  for (const Piece& piece : pieces) {
    const size_t id = vocabulary.size();
    if (piece.type == kUnknown) options.unknown = id;
    if (piece.type >= kUnknown && piece.type <= kUserDefined) {
      added.push_back({.content = piece.scored.text, .id = static_cast<int64_t>(id)});
    }
    vocabulary.push_back(piece.scored);
  }
  auto parts = std::make_shared<TokenizerParts>(
      TokenizerParts{.model = Unigram(std::move(vocabulary), options, where),
                     .raw_tokens = AddedTokenSet(added),
                     .normalized_tokens = {},
                     .normalizers = {},
                     .pre_tokenizers = {},
                     .prefix = {},
                     .suffix = {}});
  parts->vocab_size = static_cast<int64_t>(parts->model.size());
  const std::optional<int64_t> end = parts->model.Find("</s>");
  if (!end) FailPieces(where, "without the piece </s>", "a model that marks the end of a text");
  parts->suffix = {*end};
  if (!spec.charsmap.empty()) {
    const auto map = std::make_shared<const Charsmap>(spec.charsmap, where);
    parts->normalizers.push_back([map](const std::string& text) { return map->Apply(text); });
  }
  if (spec.remove_extra_spaces) parts->pre_tokenizers.push_back(SplitAtWhiteSpace);
  const Prepend prepend = spec.add_dummy_prefix ? Prepend::kAlways : Prepend::kNever;
  parts->pre_tokenizers.push_back(Metaspace({.mark = "\u2581", .prepend = prepend, .split = true}));
  return Tokenizer(std::move(parts));
}

}  // namespace aim
