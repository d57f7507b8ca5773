#include "aim/data/augment.h"

#include <gtest/gtest.h>

#include <set>

#include "data/make_episode.h"

namespace aim {
namespace {

Clip SomeClip(const testing::EpisodeOptions& options = {}) {
  Rng rng(3);
  return testing::MakeEpisode(options, rng).clip;
}

TEST(DrawViewsTest, ViewsDifferAndAllAreDrawnEquallyOften) {
  Rng rng(1);
  std::vector<int> times(5), times_first(5);
  for (int i = 0; i < 3000; ++i) {
    const std::vector<int> views = DrawViews(3, 5, rng);
    ASSERT_EQ(std::set<int>(views.begin(), views.end()).size(), 3U);
    for (const int view : views) ++times.at(static_cast<size_t>(view));
    ++times_first.at(static_cast<size_t>(views[0]));
  }
  // 1800 and 600 expected; five standard deviations are 134 and 110.
  for (const int count : times) EXPECT_NEAR(count, 1800, 134);
  for (const int count : times_first) EXPECT_NEAR(count, 600, 110);
}

TEST(DrawViewsTest, TakenViewsKeepTheirCamerasAndPictures) {
  const Clip clip = SomeClip({.num_views = 3});
  const Clip taken = TakeViews(clip, {2, 0});
  ASSERT_EQ(taken.views.size(), 2U);
  EXPECT_EQ(taken.views[0].camera.name, "view2");
  EXPECT_EQ(taken.views[0].rgb, clip.views[2].rgb);
  EXPECT_EQ(taken.views[1].rgb, clip.views[0].rgb);
  EXPECT_EQ(taken.poses.size(), clip.poses.size());
  EXPECT_EQ(taken.prompt, clip.prompt);
}

TEST(AugmentTest, WithoutStrengthNothingChanges) {
  const Clip clip = SomeClip();
  Rng rng(5);
  const Clip same = Augment(clip, {}, rng);
  for (size_t v = 0; v < clip.views.size(); ++v) {
    EXPECT_EQ(same.views[v].rgb, clip.views[v].rgb);
    EXPECT_EQ(same.views[v].camera.frames[0].fx, clip.views[v].camera.frames[0].fx);
  }
}

// The same numbers are drawn whatever is varied: what follows them in the stream stays.
TEST(AugmentTest, DependsOnTheStreamAlone) {
  const AugmentOptions options{.turn_deg = 2, .roll_deg = 3, .zoom = 0.1, .brightness = 0.3};
  Rng first(5), second(5), none(5);
  const Clip a = Augment(SomeClip(), options, first);
  const Clip b = Augment(SomeClip(), options, second);
  Augment(SomeClip(), {}, none);
  EXPECT_EQ(a.views[1].rgb, b.views[1].rgb);
  EXPECT_NE(a.views[1].rgb, SomeClip().views[1].rgb);
  EXPECT_EQ(first.Next(), second.Next());
  EXPECT_EQ(none.Next(), [] {
    Rng rng(5);
    Augment(SomeClip(), {.hue_deg = 90}, rng);
    return rng.Next();
  }());
}

// All frames of a view alike, a camera that moves in each of its frames; the poses stay.
TEST(AugmentTest, CamerasStayOnesThatCouldHaveBeen) {
  const Clip clip = SomeClip({.num_views = 2, .size_px = 32, .moving_camera = true});
  Rng rng(7);
  const Clip varied = Augment(clip, {.turn_deg = 3, .roll_deg = 5, .zoom = 0.2}, rng);
  ASSERT_EQ(varied.views[0].camera.frames.size(), 1U);
  ASSERT_EQ(varied.views[1].camera.frames.size(), clip.poses.size());
  for (size_t v = 0; v < 2; ++v) {
    const std::vector<Camera>& before = clip.views[v].camera.frames;
    const std::vector<Camera>& after = varied.views[v].camera.frames;
    const Eigen::Quaterniond turn =
        before[0].world_from_camera.rotation.conjugate() * after[0].world_from_camera.rotation;
    EXPECT_GT(AngleBetween(turn, Eigen::Quaterniond::Identity()), 1e-3);
    for (size_t frame = 0; frame < before.size(); ++frame) {
      EXPECT_EQ(after[frame].world_from_camera.translation,
                before[frame].world_from_camera.translation);
      EXPECT_NEAR(AngleBetween(before[frame].world_from_camera.rotation * turn,
                               after[frame].world_from_camera.rotation),
                  0, 1e-6);
      EXPECT_DOUBLE_EQ(after[frame].fx / before[frame].fx, after[0].fx / before[0].fx);
      EXPECT_GT(after[frame].fx, before[frame].fx);
    }
    EXPECT_EQ(varied.views[v].num_frames, clip.views[v].num_frames);
  }
}

// A narrow view that is turned far keeps a picture, at most twice as near.
TEST(AugmentTest, ATurnThatCannotFillThePictureIsMadeSmaller) {
  Clip clip = SomeClip({.size_px = 32});
  for (ClipView& view : clip.views) {
    view.camera.frames[0].fx *= 6;
    view.camera.frames[0].fy *= 6;
  }
  Rng rng(2);
  const Clip varied = Augment(clip, {.turn_deg = 15}, rng);
  for (size_t v = 0; v < clip.views.size(); ++v) {
    const Camera& before = clip.views[v].camera.frames[0];
    const Camera& after = varied.views[v].camera.frames[0];
    EXPECT_LE(after.fx, 2 * before.fx);
    EXPECT_GT(AngleBetween(before.world_from_camera.rotation, after.world_from_camera.rotation), 0);
  }
}

}  // namespace
}  // namespace aim
