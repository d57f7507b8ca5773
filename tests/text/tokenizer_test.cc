#include "aim/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "support/case_name.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using ::aim::testing::CaseName;
using ::aim::testing::ExpectThrowsWith;
using ::aim::testing::TemporaryFolder;
using nlohmann::json;

constexpr int64_t kPlenty = 100000;

std::string TextFixture(const std::string& ending) {
  return testing::SourceDir().string() + "/tests/data/text_fixture" + ending;
}

const json& Cases() {
  static const json cases = json::parse(ReadFile(TextFixture("_cases.json")));
  return cases;
}

Tokenizer FixtureModel() {
  return Tokenizer::FromSentencePiece(ReadFile(TextFixture("_spiece.model")), "spiece.model",
                                      Cases().at("sentinels").get<int>());
}

void ExpectIds(const Tokenizer& tokenizer, const json& cases) {
  for (const json& item : cases) {
    const auto text = item.at("text").get<std::string>();
    EXPECT_EQ(tokenizer.Encode(text, kPlenty), item.at("ids").get<std::vector<int64_t>>())
        << "text " << item.at("text").dump(-1, ' ', true);
  }
}

// Ids by T5TokenizerFast of transformers 5; scripts/make_text_fixture.py.
TEST(TokenizerParity, TokenizerJson) {
  ExpectIds(Tokenizer::Open(TextFixture("_tokenizer.json")), Cases().at("tokens"));
}

TEST(TokenizerParity, SentencePieceModelGivesTheSameIds) {
  ExpectIds(FixtureModel(), Cases().at("tokens"));
}

// SentencePiece's own ids are other ones only where it differs from Hugging Face: in special tokens
// and "▁" typed as text, and marks behind a full-width letter.
TEST(TokenizerParity, SentencePieceItselfDiffersInFewCases) {
  size_t differences = 0;
  for (const json& item : Cases().at("tokens")) differences += item.contains("sentencepiece");
  EXPECT_EQ(differences, 13U);
  EXPECT_GE(Cases().at("tokens").size(), 60U);
}

// Other normalizers, pre-tokenizers and added tokens; ids by tokenizers.
TEST(TokenizerParity, OtherParts) {
  for (const json& variant : Cases().at("variants")) {
    SCOPED_TRACE(variant.at("name").get<std::string>());
    ExpectIds(Tokenizer::FromJson(variant.at("tokenizer").get<std::string>(), "tokenizer.json"),
              variant.at("cases"));
  }
}

TEST(Tokenizer, EndOfTextStaysWhenATextIsCut) {
  const Tokenizer tokenizer = FixtureModel();
  const std::string text = "pick up the red block and put it in the drawer";
  const std::vector<int64_t> whole = tokenizer.Encode(text, kPlenty);
  ASSERT_GT(whole.size(), 6U);
  for (int64_t most = 1; most <= static_cast<int64_t>(whole.size()); ++most) {
    std::vector<int64_t> expected(whole.begin(), whole.begin() + most - 1);
    expected.push_back(1);
    EXPECT_EQ(tokenizer.Encode(text, most), expected);
  }
  ExpectThrowsWith<InputError>([&] { tokenizer.Encode(text, 0); }, {"0", "at least 1"});
}

TEST(Tokenizer, BytesThatAreNoUtf8CountAsReplacementCharacters) {
  const Tokenizer tokenizer = FixtureModel();
  EXPECT_EQ(tokenizer.Encode("a\xFF\xC3(\xED\xA0\x80", kPlenty),
            tokenizer.Encode("a\uFFFD\uFFFD(\uFFFD\uFFFD\uFFFD", kPlenty));
}

// The file is told by its content; in a folder tokenizer.json comes first, and the number of
// sentinels stands beside the model.
TEST(Tokenizer, OpensFilesAndFolders) {
  const TemporaryFolder folder;
  const json& item = Cases().at("tokens").at(24);
  ASSERT_NE(item.at("text").get<std::string>().find("<extra_id_19>"), std::string::npos);
  WriteFileAtomic(folder / "tokenizer_config.json", R"({"extra_ids": 20})");
  WriteFileAtomic(folder / "spiece.model", ReadFile(TextFixture("_spiece.model")));
  ExpectIds(Tokenizer::Open(folder.path()), json::array({item}));
  EXPECT_EQ(Tokenizer::Open(folder.path()).vocab_size(), 414);

  std::filesystem::remove(folder / "tokenizer_config.json");
  EXPECT_EQ(Tokenizer::Open(folder / "spiece.model").vocab_size(), 394 + 300);

  WriteFileAtomic(folder / "tokenizer.json", ReadFile(TextFixture("_tokenizer.json")));
  EXPECT_EQ(Tokenizer::Open(folder.path()).vocab_size(), 414);
}

TEST(Tokenizer, MissingFilesAreNamed) {
  const TemporaryFolder folder;
  ExpectThrowsWith<InputError>([&] { Tokenizer::Open(folder / "none.json"); },
                               {"none.json", "missing", "spiece.model", "umt5-xxl"});
  ExpectThrowsWith<InputError>([&] { Tokenizer::Open(folder.path()); },
                               {folder.path().string(), "without a tokenizer"});
  WriteFileAtomic(folder / "spiece.model", ReadFile(TextFixture("_spiece.model")));
  WriteFileAtomic(folder / "tokenizer_config.json", R"({"extra_ids": 9223372036854775808})");
  ExpectThrowsWith<FormatError>([&] { Tokenizer::Open(folder.path()); },
                                {"tokenizer_config.json", "extra_ids", "9223372036854775808"});
}

std::string Nested(const std::string& open, const std::string& close, int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += open;
  text += "null";
  for (int i = 0; i < depth; ++i) text += close;
  return text;
}

// A small whole file with one value replaced.
std::string Changed(const std::string& pointer, const std::string& value) {
  json file = json::parse(
      R"({"added_tokens": [{"id": 0, "content": "</s>", "normalized": false}],
          "normalizer": {"type": "Replace", "pattern": {"String": "x"}, "content": "a"},
          "pre_tokenizer": {"type": "Metaspace", "replacement": "_"},
          "post_processor": {"type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "</s>"}}],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [0]}}},
          "model": {"type": "Unigram", "unk_id": 1,
                    "vocab": [["</s>", 0], ["<unk>", 0], ["_", -1], ["a", -2]]}})");
  if (!pointer.empty()) file[json::json_pointer(pointer)] = json::parse(value);
  return file.dump();
}

std::string Without(const std::string& pointer) {
  json file = json::parse(Changed("", ""));
  const json::json_pointer place(pointer);
  file[place.parent_pointer()].erase(place.back());
  return file.dump();
}

TEST(Tokenizer, SmallFileIsWhole) {
  EXPECT_EQ(Tokenizer::FromJson(Changed("", ""), "t").Encode("ax q", kPlenty),
            (std::vector<int64_t>{2, 3, 3, 2, 1, 0}));
}

struct BadJson {
  std::string name;
  std::string text;
  std::vector<std::string> words;
};

class BadTokenizerJson : public ::testing::TestWithParam<BadJson> {};

TEST_P(BadTokenizerJson, IsRefusedWithASentence) {
  std::vector<std::string> words = GetParam().words;
  words.push_back("tokenizer.json");
  ExpectThrowsWith<FormatError>([] { Tokenizer::FromJson(GetParam().text, "tokenizer.json"); },
                                words);
}

INSTANTIATE_TEST_SUITE_P(
    Tokenizer, BadTokenizerJson,
    ::testing::Values(
        BadJson{"Empty", "", {"no JSON"}},
        BadJson{"Truncated", Changed("", "").substr(0, 200), {"no JSON"}},
        BadJson{"NotJson", "\x0a\x05hello", {"no JSON"}},
        BadJson{"NotUtf8", "{\"model\": \"\xFF\"}", {"no JSON"}},
        BadJson{"List", "[]", {"a list", "object"}},
        BadJson{"DeepList", Nested("[", "]", 200000), {"nested too deeply"}},
        BadJson{"DeepModel",
                "{\"model\":" + Nested("{\"a\":", "}", 200000) + "}",
                {"nested too deeply"}},
        BadJson{"DeepNormalizer",
                Changed("/normalizer", Nested(R"({"type":"Sequence","normalizers":[)", "]}", 25)),
                {"normalizer", "nested too deeply"}},
        BadJson{"NoModel", Without("/model"), {"model", "missing"}},
        BadJson{"NoVocabulary", Without("/model/vocab"), {"model.vocab", "missing"}},
        BadJson{"EmptyVocabulary", Changed("/model/vocab", "[]"), {"unk_id", "1"}},
        BadJson{"VocabularyOfBpe", Changed("/model/vocab", R"({"a": 0})"), {"vocab", "a list"}},
        BadJson{"OtherModel", Changed("/model/type", R"("BPE")"), {"BPE", "Unigram"}},
        BadJson{"ModelIsText", Changed("/model", R"("x")"), {"model", "an object"}},
        BadJson{"EntryIsText", Changed("/model/vocab/2", R"("a")"), {"vocab[2]", "score"}},
        BadJson{"ScoreIsText", Changed("/model/vocab/2", R"(["a", "b"])"), {"vocab[2]"}},
        BadJson{"DuplicatePiece",
                Changed("/model/vocab/3", R"(["_", -3])"),
                {"piece 3", "\"_\"", "piece 2"}},
        BadJson{"UnknownIdHuge",
                Changed("/model/unk_id", "9223372036854775808"),
                {"unk_id", "9223372036854775808", "0 to 3"}},
        BadJson{"UnknownIdBelowZero", Changed("/model/unk_id", "-1"), {"unk_id", "-1"}},
        BadJson{"UnknownIdBehind", Changed("/model/unk_id", "4"), {"unk_id", "4", "0 to 3"}},
        BadJson{"UnknownIdFraction", Changed("/model/unk_id", "1.5"), {"unk_id", "1.5"}},
        BadJson{"FallbackIsText", Changed("/model/byte_fallback", "\"yes\""), {"byte_fallback"}},
        BadJson{"OtherNormalizer",
                Changed("/normalizer/type", R"("Lowercase")"),
                {"normalizer", "Lowercase"}},
        BadJson{"NormalizerWithoutType", Without("/normalizer/type"), {"normalizer.type"}},
        BadJson{"OtherPattern",
                Changed("/normalizer/pattern", R"({"Regex": "[a-z]*"})"),
                {"Regex", "[a-z]*"}},
        BadJson{"EmptyPattern", Changed("/normalizer/pattern", R"({"String": ""})"), {"empty"}},
        BadJson{"CharsmapNoBase64",
                Changed("/normalizer", R"({"type":"Precompiled","precompiled_charsmap":"?a=="})"),
                {"base64"}},
        BadJson{"CharsmapShort",
                Changed("/normalizer", R"({"type":"Precompiled","precompiled_charsmap":"AAA="})"),
                {"charsmap", "2 bytes"}},
        BadJson{
            "CharsmapTrieTooLong",
            Changed("/normalizer", R"({"type":"Precompiled","precompiled_charsmap":"/////w=="})"),
            {"charsmap", "4294967295 bytes"}},
        BadJson{"OtherPreTokenizer",
                Changed("/pre_tokenizer/type", R"("ByteLevel")"),
                {"pre_tokenizer", "ByteLevel"}},
        BadJson{"OtherScheme", Changed("/pre_tokenizer/prepend_scheme", R"("often")"), {"often"}},
        BadJson{"LongMark", Changed("/pre_tokenizer/replacement", R"("__")"), {"one character"}},
        BadJson{"OtherPostProcessor",
                Changed("/post_processor/type", R"("ByteLevel")"),
                {"post_processor", "ByteLevel"}},
        BadJson{"TemplateTwice",
                Changed("/post_processor/single/1", R"({"Sequence": {"id": "A"}})"),
                {"2 texts"}},
        BadJson{"TemplateTokenMissing",
                Without("/post_processor/special_tokens/<~1s>"),
                {"special_tokens", "</s>", "missing"}},
        BadJson{"TemplateIdBehind",
                Changed("/post_processor/special_tokens/<~1s>/ids/0", "7"),
                {"the id 7", "below 4"}},
        BadJson{"AddedTokensObject", Changed("/added_tokens", "{}"), {"added_tokens", "a list"}},
        BadJson{"AddedIdBehind", Changed("/added_tokens/0/id", "5"), {"added_tokens[0].id", "5"}},
        BadJson{"AddedIdHuge",
                Changed("/added_tokens/0/id", "9223372036854775808"),
                {"added_tokens[0].id"}},
        BadJson{"AddedIdOfAnother",
                Changed("/added_tokens/0/id", "3"),
                {"added_tokens[0].id", "3", "piece, 0"}},
        BadJson{"AddedIdTaken",
                Changed("/added_tokens/0/content", "\"<new>\""),
                {"added_tokens[0].id", "behind the vocabulary"}},
        BadJson{"AddedContentNumber", Changed("/added_tokens/0/content", "3"), {"content"}},
        BadJson{"SingleWord", Changed("/added_tokens/0/single_word", "true"), {"single_word"}}),
    CaseName());

TEST(Tokenizer, CharacterWithoutIdIsNamed) {
  const Tokenizer tokenizer =
      Tokenizer::FromJson(Changed("/model/unk_id", "null"), "tokenizer.json");
  ExpectThrowsWith<InputError>([&] { tokenizer.Encode("a q", kPlenty); },
                               {"prompt", "\"q\"", "unknown"});
}

// Fields of protobuf, for models that no tool would write.
std::string Number(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7F) | 0x80);
  return bytes + static_cast<char>(value);
}
std::string Varint(uint64_t field, uint64_t value) { return Number(field << 3) + Number(value); }
std::string Bytes(uint64_t field, const std::string& bytes) {
  return Number((field << 3) | 2) + Number(bytes.size()) + bytes;
}
std::string Score(float value) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &value, 4);
  return Number((2 << 3) | 5) + bytes;
}
std::string Piece(const std::string& text, float score = -1, uint64_t type = 1) {
  return Bytes(1, Bytes(1, text) + Score(score) + Varint(3, type));
}
std::string SmallModel() {
  return Piece("</s>", 0, 3) + Piece("<unk>", 0, 2) + Piece("\u2581") + Piece("a");
}

TEST(Tokenizer, SmallModelIsWhole) {
  EXPECT_EQ(Tokenizer::FromSentencePiece(SmallModel(), "m", 0).Encode("aa q</s>", kPlenty),
            (std::vector<int64_t>{2, 3, 3, 2, 1, 0, 0}));
  // No mark before the first word; white space kept.
  const std::string bare = SmallModel() + Bytes(3, Varint(3, 0) + Varint(4, 0));
  EXPECT_EQ(Tokenizer::FromSentencePiece(bare, "m", 0).Encode("a  a", kPlenty),
            (std::vector<int64_t>{3, 2, 2, 3, 0}));
}

struct BadModel {
  std::string name;
  std::string bytes;
  std::vector<std::string> words;
};

class BadSentencePiece : public ::testing::TestWithParam<BadModel> {};

TEST_P(BadSentencePiece, IsRefusedWithASentence) {
  std::vector<std::string> words = GetParam().words;
  words.push_back("spiece.model");
  ExpectThrowsWith<FormatError>(
      [] { Tokenizer::FromSentencePiece(GetParam().bytes, "spiece.model"); }, words);
}

INSTANTIATE_TEST_SUITE_P(
    Tokenizer, BadSentencePiece,
    ::testing::Values(
        BadModel{"Empty", "", {"without pieces"}},
        BadModel{"HugeLength",
                 Number((1 << 3) | 2) + Number(uint64_t{1} << 63),
                 {"9223372036854775808 bytes", "0 are left"}},
        BadModel{"EndlessNumber", std::string(20, '\xFF'), {"more than 64 bits"}},
        BadModel{"Group", SmallModel() + Number((5 << 3) | 3), {"wire type 3"}},
        BadModel{"NoEnd", Piece("a") + Piece("<unk>", 0, 2), {"</s>"}},
        BadModel{"EmptyPiece", SmallModel() + Piece(""), {"piece 4", "empty"}},
        BadModel{"PieceNoUtf8", SmallModel() + Piece("\xFF"), {"piece 4", "UTF-8"}},
        BadModel{"Duplicate", SmallModel() + Piece("a"), {"piece 4", "\"a\"", "piece 3"}},
        BadModel{"Sentinel", SmallModel() + Piece("<extra_id_7>"), {"<extra_id_7>"}},
        BadModel{"ScoreNan",
                 SmallModel() + Piece("b", std::numeric_limits<float>::quiet_NaN()),
                 {"score of piece 4", "not finite"}},
        BadModel{"ByteEncoding", SmallModel() + Bytes(2, Varint(3, 2)), {"model_type", "2"}},
        BadModel{"SpacesNotEscaped", SmallModel() + Bytes(3, Varint(5, 0)), {"escape_whitespaces"}},
        BadModel{"Charsmap", SmallModel() + Bytes(3, Bytes(2, "abc")), {"charsmap", "3 bytes"}}),
    CaseName());

// A file that was cut anywhere is refused, or has lost nothing but its last fields.
TEST(Tokenizer, ModelsCutAtEveryByteAreSafe) {
  const std::string bytes = ReadFile(TextFixture("_spiece.model"));
  size_t refused = 0;
  for (size_t size = 0; size < bytes.size(); ++size) {
    try {
      const Tokenizer tokenizer =
          Tokenizer::FromSentencePiece(std::string_view(bytes).substr(0, size), "m", 0);
      EXPECT_LE(tokenizer.vocab_size(), 394);
      EXPECT_FALSE(tokenizer.Encode("pick up the red block", 8).empty());
    } catch (const InputError&) {
      ++refused;
    }
  }
  EXPECT_GE(refused, bytes.size() * 9 / 10);
}

TEST(Tokenizer, JsonCutAnywhereIsRefused) {
  const std::string text = Changed("", "");
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_THROW(Tokenizer::FromJson(std::string_view(text).substr(0, size), "t"), FormatError);
  }
}

}  // namespace
}  // namespace aim
