#include "gallery/scene.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/smooth_episode.h"
#include "support/count_parts.h"

namespace aim {
namespace {

using testing::CountParts;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Clip ClipOfTwoViews(bool moving_camera = false) {
  Rng rng(3);
  return testing::MakeSmoothEpisode({.moving_camera = moving_camera}, rng).clip;
}

TEST(SceneTest, EveryCameraIsAPyramidInBothDrawings) {
  const std::string html = SceneHtml(ClipOfTwoViews());
  EXPECT_EQ(CountParts(html, "<svg"), 2U);
  for (const char* view : {"line0", "line1"}) {
    EXPECT_EQ(CountParts(html, std::string("class=\"") + view + " thin\""), 8U);       // edges
    EXPECT_EQ(CountParts(html, std::string("<polyline class=\"") + view + "\""), 2U);  // far ends
  }
  EXPECT_THAT(html, HasSubstr(">view1</text>"));
  EXPECT_EQ(CountParts(html, "class=\"tippath\""), 2U);
  EXPECT_EQ(CountParts(html, "class=\"toolx\""), 10U);
  EXPECT_EQ(CountParts(html, "dashed"), 0U);
  EXPECT_EQ(CountParts(SceneHtml(ClipOfTwoViews(true)), "line1 dashed"), 2U);
}

// From above x goes to the right and y up: a tip one metre along x and two along y from the start.
TEST(SceneTest, FromAboveIsToScale) {
  Clip clip;
  clip.poses = {{{Eigen::Quaterniond(0, 1, 0, 0), {0, 0, 1}}, 1.0},
                {{Eigen::Quaterniond(0, 1, 0, 0), {1, 2, 1}}, 1.0}};
  const std::string html = SceneHtml(clip);
  const std::string above = html.substr(html.find("from above"));
  const size_t begin = above.find("tippath\" points=\"") + 17;
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  ASSERT_EQ(std::sscanf(above.c_str() + begin, "%lf,%lf %lf,%lf", &x0, &y0, &x1, &y1), 4);
  EXPECT_GT(x1, x0);
  EXPECT_NEAR((y0 - y1) / (x1 - x0), 2, 0.01);
  for (const double x : {x0, x1}) EXPECT_TRUE(x >= 0 && x <= 400);
  for (const double y : {y0, y1}) EXPECT_TRUE(y >= 0 && y <= 300);
}

TEST(SceneTest, WhatIsNotKnownIsLeftOut) {
  Clip clip = ClipOfTwoViews();
  clip.poses.clear();
  clip.views[0].camera.frames.clear();
  const std::string html = SceneHtml(clip);
  EXPECT_THAT(html, Not(HasSubstr("tippath")));
  EXPECT_THAT(html, Not(HasSubstr("line0")));
  EXPECT_THAT(html, HasSubstr("line1"));
  clip.views[1].camera.frames.clear();
  EXPECT_THAT(SceneHtml(clip), IsEmpty());
}

TEST(SceneTest, NamesAreText) {
  Clip clip = ClipOfTwoViews();
  clip.views[0].camera.name = "<script>";
  EXPECT_THAT(SceneHtml(clip), Not(HasSubstr("<script>")));
}

}  // namespace
}  // namespace aim
