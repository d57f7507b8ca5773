#include "aim/recipe/mode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "aim/base/error.h"
#include "support/throws.h"

namespace aim {
namespace {

TEST(ModeTest, TheTableIsConsistent) {
  std::set<std::string> names;
  double shares = 0;
  for (const Mode& mode : AllModes()) {
    EXPECT_TRUE(names.insert(mode.name).second) << mode.name;
    EXPECT_FALSE(mode.job.empty()) << mode.name;
    EXPECT_TRUE(mode.video.present || mode.action.present) << mode.name;
    // Only a first pose that would be given can be left out.
    EXPECT_TRUE(!mode.first_pose_optional || mode.action.given == Given::kFirst) << mode.name;
    EXPECT_GE(mode.training_share, 0) << mode.name;
    shares += mode.training_share;
  }
  EXPECT_NEAR(shares, 1, 1e-12);
}

// Something is always left to predict: a mode that gives all would have a loss of zero.
TEST(ModeTest, EveryModeLeavesSomethingOpen) {
  for (const Mode& mode : AllModes()) {
    const bool opens_video = mode.video.present && mode.video.given != Given::kAll;
    const bool opens_action = mode.action.present && mode.action.given != Given::kAll;
    EXPECT_TRUE(opens_video || opens_action) << mode.name;
  }
}

TEST(ModeTest, AnUnknownModeIsRefusedWithThoseThereAre) {
  EXPECT_EQ(FindMode("a2v").name, "a2v");
  testing::ExpectThrowsWith<ConfigError>([] { FindMode("a2a"); },
                                         {"a2a", "i2a, i2va, v2a, a2v, i2v, v1_given"});
}

TEST(ModeTest, AModeThatWasNotTrainedIsRefusedUnlessAllowed) {
  testing::ExpectThrowsWith<ConfigError>(
      [] {
        CheckTrained("a2v", {"i2a", "v2a"}, false);
      },
      {"a2v", "i2a, v2a", "--allow-untrained"});
  CheckTrained("a2v", {"i2a", "v2a"}, true);
  CheckTrained("v2a", {"i2a", "v2a"}, false);
  EXPECT_THROW(CheckTrained("nonsense", {}, true), ConfigError);
}

}  // namespace
}  // namespace aim
