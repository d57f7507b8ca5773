#include "aim/text/hashed_words.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "aim/base/error.h"

namespace aim {
namespace {

TEST(CleanPromptTest, FollowsTraining) {
  EXPECT_EQ(CleanPrompt(""), "");
  EXPECT_EQ(CleanPrompt("Push the_red button."), "Push the red button");
  EXPECT_EQ(CleanPrompt("a  b"), "a b");
  EXPECT_EQ(CleanPrompt("a   b"), "a  b");  // one pass: three spaces become two
  EXPECT_EQ(CleanPrompt("a._b"), "a b");
}

TEST(HashedWordsTest, ShapeAndZeroRows) {
  const HashedWords encoder({.dim = 32, .length = 5});
  const at::Tensor rows = encoder.Encode("push the button");
  EXPECT_EQ(rows.sizes(), at::IntArrayRef({5, 32}));
  EXPECT_EQ(rows.scalar_type(), at::kFloat);
  EXPECT_TRUE((rows.narrow(0, 0, 3).abs().sum(1) > 0).all().item<bool>());
  EXPECT_EQ(rows.narrow(0, 3, 2).abs().max().item<float>(), 0);
}

TEST(HashedWordsTest, EmptyPromptsAreZero) {
  const HashedWords encoder({});
  for (const char* prompt : {"", "   ", ".", "?!, -"}) {
    EXPECT_EQ(encoder.Encode(prompt).abs().max().item<float>(), 0) << prompt;
  }
}

TEST(HashedWordsTest, CaseAndPunctuationDoNotMatter) {
  const HashedWords encoder({});
  const at::Tensor rows = encoder.Encode("push the red button 2");
  for (const char* prompt :
       {"Push the RED button, 2!", " push  the red_button 2.", "push-the/red button(2)"}) {
    EXPECT_TRUE(at::equal(encoder.Encode(prompt), rows)) << prompt;
  }
  EXPECT_FALSE(at::equal(encoder.Encode("push the blue button 2"), rows));
  EXPECT_FALSE(at::equal(encoder.Encode("push the button red 2"), rows));
}

// A word is the same vector wherever it stands; beyond ASCII a word is not cut.
TEST(HashedWordsTest, RowsAreWords) {
  const HashedWords encoder({});
  const at::Tensor rows = encoder.Encode("red and red");
  EXPECT_TRUE(at::equal(rows[0], rows[2]));
  EXPECT_FALSE(at::equal(rows[0], rows[1]));
  EXPECT_EQ(encoder.Encode("gr\xc3\xbcn")[1].abs().max().item<float>(), 0);
}

TEST(HashedWordsTest, LongPromptsLoseTheirEnd) {
  const HashedWords encoder({.dim = 8, .length = 2});
  EXPECT_TRUE(at::equal(encoder.Encode("a b c d"), encoder.Encode("a b")));
}

TEST(HashedWordsTest, UnitVarianceAndNearlyOrthogonal) {
  const HashedWords encoder({.dim = 4096, .length = 2});
  const at::Tensor rows = encoder.Encode("red blue");
  EXPECT_NEAR(rows[0].var().item<double>(), 1.0, 0.1);
  EXPECT_NEAR(rows[0].mean().item<double>(), 0.0, 0.1);
  EXPECT_NEAR(at::cosine_similarity(rows[0], rows[1], 0).item<double>(), 0.0, 0.1);
}

// Golden: FNV-1a, splitmix64, xoshiro256++ and Box-Muller written again in Python. Trained models
// depend on these numbers.
TEST(HashedWordsTest, Golden) {
  const at::Tensor row = HashedWords({}).Encode("Button")[0].narrow(0, 0, 4) * 1024;
  EXPECT_TRUE(at::equal(row, at::tensor({1607.0f, 1417.0f, 1142.0f, 1526.0f}))) << row;
}

TEST(HashedWordsTest, RefusesEmptySizes) {
  EXPECT_THROW(HashedWords({.dim = 0, .length = 4}), ConfigError);
  EXPECT_THROW(HashedWords({.dim = 4, .length = 0}), ConfigError);
}

}  // namespace
}  // namespace aim
