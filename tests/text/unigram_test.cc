#include "text/unigram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "support/case_name.h"
#include "support/throws.h"

namespace aim {
namespace {

using ::aim::testing::CaseName;
using ::aim::testing::ExpectThrowsWith;

using Ids = std::vector<int64_t>;

// A vocabulary whose segmentations can be added up by hand.
std::vector<ScoredPiece> ToyPieces() {
  return {{"<unk>", 0}, {"a", -1}, {"b", -1.5}, {"c", -1}, {"ab", -2}, {"abc", -5}, {"\u00E9", -3}};
}

Unigram Toy(const UnigramOptions& options = {.unknown = 0}) {
  return Unigram(ToyPieces(), options, "toy");
}

Ids Encode(const Unigram& unigram, std::string_view text) {
  Ids ids;
  unigram.Encode(text, ids);
  return ids;
}

TEST(UnigramTest, LargestSumWins) {
  const Unigram toy = Toy();
  EXPECT_EQ(Encode(toy, "ab"), (Ids{4}));      // -2 against -2.5
  EXPECT_EQ(Encode(toy, "abc"), (Ids{4, 3}));  // -3; letters -3.5; whole -5
  EXPECT_EQ(Encode(toy, "ba"), (Ids{2, 1}));
  EXPECT_EQ(Encode(toy, "aabcb"), (Ids{1, 4, 3, 2}));
  EXPECT_TRUE(Encode(toy, "").empty());
}

TEST(UnigramTest, AppendsToWhatIsThere) {
  Ids ids{9};
  Toy().Encode("c", ids);
  EXPECT_EQ(ids, (Ids{9, 3}));
}

TEST(UnigramTest, FindsPiecesByTheirText) {
  const Unigram toy = Toy();
  EXPECT_EQ(toy.size(), 7U);
  for (size_t id = 0; id < ToyPieces().size(); ++id) {
    EXPECT_EQ(toy.Find(ToyPieces()[id].text), static_cast<int64_t>(id));
  }
  EXPECT_EQ(toy.Find("abcd"), std::nullopt);
  EXPECT_EQ(toy.Find(""), std::nullopt);
}

// An unknown character costs 10 more than the worst piece, so that it is the last resort; several
// in a row are one id.
TEST(UnigramTest, UnknownCharactersAreOneId) {
  const Unigram toy = Toy();
  EXPECT_EQ(Encode(toy, "axb"), (Ids{1, 0, 2}));
  EXPECT_EQ(Encode(toy, "axyzb"), (Ids{1, 0, 2}));
  EXPECT_EQ(Encode(toy, "xaxb"), (Ids{0, 1, 0, 2}));
  EXPECT_EQ(Encode(toy, "\u00E4\u20AC\U0001F600"), (Ids{0}));  // by characters, not bytes
  EXPECT_EQ(Encode(toy, "\u00E9"), (Ids{6}));
}

// The unknown piece typed as text is that piece, and unites with unknown neighbours.
TEST(UnigramTest, UnknownPieceItselfMayBeTyped) {
  EXPECT_EQ(Encode(Toy(), "a<unk>b"), (Ids{1, 0, 2}));
  EXPECT_EQ(Encode(Toy(), "x<unk>"), (Ids{0}));
}

TEST(UnigramTest, WithoutAnUnknownIdTheCharacterIsNamed) {
  const Unigram toy = Toy({});
  EXPECT_EQ(Encode(toy, "abc"), (Ids{4, 3}));
  ExpectThrowsWith<InputError>([&] { Encode(toy, "ab\u00E4c"); },
                               {"prompt", "\"\u00E4\"", "toy", "unknown"});
}

// U+00E4 is C3 A4. All bytes of a run of unknown characters, or the unknown id.
TEST(UnigramTest, BytesStandInWhereTheVocabularyHasThem) {
  std::vector<ScoredPiece> pieces = ToyPieces();
  pieces.push_back({"<0xC3>", -9});
  pieces.push_back({"<0xA4>", -9});
  const Unigram unigram(pieces, {.unknown = 0, .byte_fallback = true}, "toy");
  EXPECT_EQ(Encode(unigram, "a\u00E4b"), (Ids{1, 7, 8, 2}));
  EXPECT_EQ(Encode(unigram, "\u00E4\u00E4"), (Ids{7, 8, 7, 8}));
  EXPECT_EQ(Encode(unigram, "\u00E5"), (Ids{0}));        // C3 A5
  EXPECT_EQ(Encode(unigram, "\u00E4\u00E5"), (Ids{0}));  // as one run
  const Unigram without(pieces, {.unknown = 0}, "toy");
  EXPECT_EQ(Encode(without, "a\u00E4b"), (Ids{1, 0, 2}));
}

// The best sum over all 2^(n-1) ways to cut `text`; lowest score less 10 for an unknown letter.
double BestSum(const std::vector<ScoredPiece>& pieces, std::string_view text) {
  double lowest = 0;
  for (const ScoredPiece& piece : pieces) lowest = std::min(lowest, piece.score);
  double best = -std::numeric_limits<double>::infinity();
  for (uint32_t cuts = 0; cuts < 1U << (text.size() - 1); ++cuts) {
    double sum = 0;
    for (size_t begin = 0, end = 1; begin < text.size(); begin = end++) {
      while (end < text.size() && (cuts >> (end - 1) & 1U) == 0) ++end;
      double score = -std::numeric_limits<double>::infinity();
      for (const ScoredPiece& piece : pieces) {
        if (piece.text == text.substr(begin, end - begin)) score = piece.score;
      }
      if (!std::isfinite(score) && end == begin + 1) score = lowest - 10;
      sum += score;
    }
    best = std::max(best, sum);
  }
  return best;
}

// The search is as good as trying everything, on random vocabularies of three letters.
TEST(UnigramTest, SearchEqualsTryingAllSegmentations) {
  Rng rng(5);
  for (int draw = 0; draw < 40; ++draw) {
    std::vector<ScoredPiece> pieces{{"<unk>", 0}};
    for (int i = 0; i < 25; ++i) {
      std::string text;
      for (int64_t length = 1 + rng.UniformInt(4); length > 0; --length) {
        text += static_cast<char>('a' + rng.UniformInt(3));
      }
      const bool is_new = std::none_of(pieces.begin(), pieces.end(), [&](const ScoredPiece& piece) {
        return piece.text == text;
      });
      if (is_new) pieces.push_back({text, rng.Uniform(-10, -1)});
    }
    const Unigram unigram(pieces, {.unknown = 0}, "random");
    std::string text;
    for (int i = 0; i < 11; ++i) text += static_cast<char>('a' + rng.UniformInt(3));
    double sum = 0, lowest = 0;
    size_t num_known_letters = 0;
    for (const ScoredPiece& piece : pieces) lowest = std::min(lowest, piece.score);
    for (const int64_t id : Encode(unigram, text)) {
      if (id == 0) continue;
      sum += pieces[static_cast<size_t>(id)].score;
      num_known_letters += pieces[static_cast<size_t>(id)].text.size();
    }
    sum += static_cast<double>(text.size() - num_known_letters) * (lowest - 10);
    EXPECT_NEAR(sum, BestSum(pieces, text), 1e-9) << "draw " << draw << " text " << text;
  }
}

struct BadVocabulary {
  std::string name;
  std::vector<ScoredPiece> pieces;
  UnigramOptions options;
  std::vector<std::string> words;
};

class BadVocabularyTest : public ::testing::TestWithParam<BadVocabulary> {};

TEST_P(BadVocabularyTest, IsRefused) {
  std::vector<std::string> words = GetParam().words;
  words.push_back("pieces.model");
  ExpectThrowsWith<FormatError>(
      [] { Unigram(GetParam().pieces, GetParam().options, "pieces.model"); }, words);
}

INSTANTIATE_TEST_SUITE_P(
    UnigramTest, BadVocabularyTest,
    ::testing::Values(
        BadVocabulary{"Empty", {}, {}, {"vocabulary", "empty"}},
        BadVocabulary{
            "Twice", {{"a", -1}, {"b", -1}, {"a", -2}}, {}, {"piece 2", "\"a\"", "piece 0"}},
        BadVocabulary{"NotANumber",
                      {{"a", -1}, {"b", std::numeric_limits<double>::quiet_NaN()}},
                      {},
                      {"score of piece 1", "not finite"}},
        BadVocabulary{"Infinite",
                      {{"a", -std::numeric_limits<double>::infinity()}},
                      {},
                      {"score of piece 0"}},
        BadVocabulary{"UnknownBehindTheEnd", {{"a", -1}}, {.unknown = 1}, {"unknown id", "1"}}),
    CaseName());

}  // namespace
}  // namespace aim
