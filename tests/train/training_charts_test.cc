#include "train/training_charts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/count_parts.h"

namespace aim {
namespace {

using ::aim::testing::CountParts;
using ::testing::HasSubstr;
using ::testing::Not;

RunHistory History(int64_t num_steps) {
  RunHistory history;
  for (int64_t step = 1; step <= num_steps; ++step) {
    history.Add({{"train_step", step},
                 {"loss", 1.0 / static_cast<double>(step)},
                 {"grad_norm", 1.0},
                 {"lr", 1e-3},
                 {"samples_per_s", 5.0}});
  }
  return history;
}

TEST(TrainingChartsTest, LossesOfModesAndNoiseHaveACurveEach) {
  RunHistory history;
  for (int64_t step = 1; step <= 2; ++step) {
    history.Add({{"train_step", step},
                 {"loss", 1.0},
                 {"loss_of_mode", {{"i2a", 1.0}, {"v2a", 0.5}}},
                 {"loss_of_noise", {{"0.75-1", 1.0}}}});
  }
  const std::string html = StepChartsHtml(history, 2);
  EXPECT_EQ(CountParts(html, "<polyline"), 4U + 3U);
  EXPECT_THAT(html, HasSubstr("loss by mode"));
  EXPECT_THAT(html, HasSubstr("0.75-1"));
  EXPECT_THAT(StepChartsHtml(History(2), 4), Not(HasSubstr("loss by mode")));
}

nlohmann::json Validation(int64_t step, double position_mm) {
  return {{"train_step", step},
          {"validation",
           {{"i2a", {{"position_mm", {{"median", position_mm}}}, {"not_decodable", 0.25}}},
            {"v2a", {{"position_mm", {{"median", nullptr}}}, {"not_decodable", 1.0}}},
            {"i2v", {{"psnr_db", 20.0}, {"static_copy_psnr_db", 17.0}}}}}};
}

TEST(TrainingChartsTest, StepsLieOnTheirAxis) {
  const std::string html = StepChartsHtml(History(2), 4);
  EXPECT_EQ(CountParts(html, "<polyline"), 4U);
  EXPECT_THAT(html, HasSubstr("points=\"250.0,0.0 500.0,1000.0\""));  // the loss, from 1 to 0.5
  EXPECT_THAT(html, HasSubstr(">loss</figcaption>"));
  EXPECT_THAT(html, HasSubstr("learning rate"));
}

TEST(TrainingChartsTest, TimeSpentFetchingIsDrawnWhereItWasMeasured) {
  EXPECT_THAT(StepChartsHtml(History(2), 4), Not(HasSubstr("fetching")));
  RunHistory history = History(1);
  history.Add({{"train_step", 2}, {"loss", 1.0}, {"data_wait", 0.5}});
  history.Add({{"train_step", 4}, {"loss", 1.0}, {"data_wait", 0.1}});
  const std::string html = StepChartsHtml(history, 4);
  EXPECT_THAT(html, HasSubstr("time spent fetching clips, %"));
  EXPECT_EQ(CountParts(html, "<polyline"), 5U);
}

TEST(TrainingChartsTest, AFewPointsOrNoneAreDrawn) {
  for (const int64_t num_steps : {0, 1}) {
    const std::string html = StepChartsHtml(History(num_steps), 4);
    EXPECT_EQ(CountParts(html, "<polyline"), 4U);
    EXPECT_EQ(CountParts(html, "class=\"point"), num_steps == 0 ? 0U : 4U);
    EXPECT_THAT(html, Not(HasSubstr("nan")));
  }
}

TEST(TrainingChartsTest, ManyPointsBecomeMeans) {
  const std::string html = StepChartsHtml(History(100000), 100000);
  const size_t begin = html.find("points=\"") + 8;
  const std::string points = html.substr(begin, html.find('"', begin) - begin);
  EXPECT_EQ(std::count(points.begin(), points.end(), ','), 400);
  EXPECT_THAT(html, HasSubstr("loss (logarithmic axis)"));
}

// A curve for each mode that has the number, and what the pictures are compared with.
TEST(TrainingChartsTest, ValidationHasACurveAMode) {
  RunHistory history;
  EXPECT_EQ(ValidationChartsHtml(history, 4), "");
  history.Add(Validation(2, 30));
  history.Add(Validation(4, 10));
  const std::string html = ValidationChartsHtml(history, 4);
  EXPECT_EQ(CountParts(html, "<figure"), 3U);  // none of rotations
  EXPECT_THAT(html, HasSubstr("points=\"500.0,0.0 1000.0,1000.0\""));
  EXPECT_EQ(CountParts(html, "</i>i2a</span>"), 2U);
  EXPECT_EQ(CountParts(html, "</i>v2a</span>"), 1U);
  EXPECT_EQ(CountParts(html, "</i>i2v</span>"), 1U);
  EXPECT_EQ(CountParts(html, "</i>first picture kept</span>"), 1U);
  EXPECT_THAT(html, Not(HasSubstr("rotation")));
}

}  // namespace
}  // namespace aim
