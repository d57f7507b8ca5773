#include "train/run_history.h"

#include <gtest/gtest.h>

#include <string>

namespace aim {
namespace {

nlohmann::json StepLine(int64_t step, double loss) {
  return {{"train_step", step}, {"loss", loss}, {"samples_per_s", 4.0}};
}

std::string Shown(const RunHistory& history) {
  std::string text;
  for (const RunHistory::Step& step : history.steps())
    text += std::to_string(step.train_step) + ":" + std::to_string(step.loss).substr(0, 3) + " ";
  for (const RunHistory::Validation& validation : history.validations())
    text += "v" + std::to_string(validation.train_step) + " ";
  return text;
}

// Cut off after step 3, gone on from 1, cut off again and gone on from 2.
TEST(RunHistoryTest, StepsOfAttemptsThatWereCutOffAreTakenBack) {
  RunHistory history;
  for (int64_t step = 1; step <= 3; ++step) history.Add(StepLine(step, 1));
  history.Add({{"train_step", 3}, {"validation", {{"i2a", 1}}}});
  EXPECT_EQ(Shown(history), "1:1.0 2:1.0 3:1.0 v3 ");
  history.Add({{"resumed_at_step", 1}});
  for (int64_t step = 2; step <= 3; ++step) history.Add(StepLine(step, 2));
  history.Add({{"train_step", 2}, {"validation", {{"i2a", 2}}}});
  history.Add({{"resumed_at_step", 2}});
  history.Add(StepLine(3, 3));
  EXPECT_EQ(Shown(history), "1:1.0 2:2.0 3:3.0 v2 ");
  EXPECT_EQ(history.validations()[0].modes["i2a"], 2);
}

TEST(RunHistoryTest, LinesOfOtherKindsArePassedOver) {
  RunHistory history;
  for (const char* line : {"[1]", "{}", "{\"train_step\":\"x\",\"loss\":1}", "3",
                           "{\"resumed_at_step\":null}", "{\"train_step\":1,\"other\":2}"})
    history.Add(nlohmann::json::parse(line));
  history.Add(nlohmann::json::parse("not json", nullptr, false));
  EXPECT_EQ(Shown(history), "");
  EXPECT_EQ(history.TrainingSeconds(2), 0);
  EXPECT_EQ(history.SecondsPerStep(2), 0);
}

// What earlier versions did not write down is not known.
TEST(RunHistoryTest, WaitingAndMemoryAreThoseOfTheLine) {
  RunHistory history;
  history.Add(StepLine(1, 1));
  nlohmann::json line = StepLine(2, 1);
  line.update({{"data_wait", 0.25}, {"peak_memory_bytes", 1000}});
  history.Add(line);
  EXPECT_FALSE(history.steps()[0].data_wait || history.steps()[0].peak_memory_bytes);
  EXPECT_EQ(history.steps()[1].data_wait, 0.25);
  EXPECT_EQ(history.steps()[1].peak_memory_bytes, 1000);
}

// Ten steps of two samples at four a second.
TEST(RunHistoryTest, TimeIsThatOfTheSteps) {
  RunHistory history;
  history.Add(StepLine(4, 1));
  history.Add(StepLine(10, 1));
  EXPECT_DOUBLE_EQ(history.TrainingSeconds(2), 5);
  EXPECT_DOUBLE_EQ(history.SecondsPerStep(2), 0.5);
}

}  // namespace
}  // namespace aim
