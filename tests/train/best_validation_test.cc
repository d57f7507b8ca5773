#include "train/best_validation.h"

#include <gtest/gtest.h>

#include "aim/base/parse_json.h"

namespace aim {
namespace {

RunHistory::Validation Make(int64_t train_step, const char* modes) {
  return {train_step, ParseJson(modes)};
}

RunHistory::Validation Action(int64_t train_step, const std::string& median, double lost) {
  return Make(train_step, ("{\"v2a\":{\"position_mm\":{\"median\":1},\"not_decodable\":0},"
                           "\"i2v\":{\"psnr_db\":30},\"i2a\":{\"position_mm\":{\"median\":" +
                           median + "},\"not_decodable\":" + std::to_string(lost) + "}}")
                              .c_str());
}

// The first mode of the table that makes actions, whatever the others say.
TEST(BestValidation, IsOfThePlanWhereThereIsOne) {
  const auto score = ScoreOf(Action(7, "12", 0.25));
  ASSERT_TRUE(score);
  EXPECT_EQ(score->mode, "i2a");
  EXPECT_EQ(score->metric, "position_mm_per_decodable");
  EXPECT_DOUBLE_EQ(score->value, 16);
  EXPECT_EQ(score->train_step, 7);
}

TEST(BestValidation, DecodingLessIsNoWayToWin) {
  const auto best = BestOf({Action(1, "20", 0.1), Action(2, "18", 0.5), Action(3, "19", 0.0)});
  ASSERT_TRUE(best);
  EXPECT_EQ(best->train_step, 3);
}

TEST(BestValidation, TheEarliestOfEqualOnes) {
  EXPECT_EQ(BestOf({Action(1, "20", 0), Action(2, "20", 0)})->train_step, 1);
}

TEST(BestValidation, VideoAloneIsJudgedByItsPictures) {
  const auto best =
      BestOf({Make(1, "{\"i2v\":{\"psnr_db\":20}}"), Make(2, "{\"i2v\":{\"psnr_db\":25}}"),
              Make(3, "{\"i2v\":{\"psnr_db\":24}}")});
  ASSERT_TRUE(best);
  EXPECT_EQ(best->train_step, 2);
  EXPECT_EQ(best->metric, "psnr_db");
}

// Nothing decodes yet, nothing is measured, no validation at all: there is no best one.
TEST(BestValidation, WithoutANumberThereIsNone) {
  EXPECT_FALSE(ScoreOf(Action(1, "null", 1)));
  EXPECT_FALSE(ScoreOf(Action(1, "12", 1)));
  EXPECT_FALSE(ScoreOf(Make(1, "{}")));
  EXPECT_FALSE(ScoreOf(Make(1, "{\"i2v\":{\"psnr_db\":null}}")));
  EXPECT_FALSE(BestOf({}));
  EXPECT_EQ(BestOf({Action(1, "null", 1), Action(2, "30", 0.5)})->train_step, 2);
}

}  // namespace
}  // namespace aim
