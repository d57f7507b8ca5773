#include "aim/gallery/gallery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "aim/base/atomic_file.h"
#include "data/layout_cases.h"
#include "data/smooth_episode.h"
#include "support/case_name.h"
#include "support/count_parts.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using testing::CountParts;
using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using testing::LayoutCase;
using testing::MakeSmoothEpisodes;
using ::testing::Not;
using testing::TemporaryFolder;

GalleryReport Show(const fs::path& path, const fs::path& out, int episodes = 12,
                   int page_mib = 24) {
  GalleryOptions options{.episodes = episodes, .page_mib = page_mib};
  options.data.path = path.string();
  RunContext run({.out = out});
  return RunGallery(options, run);
}

std::string PageOf(const fs::path& path, int episodes = 12) {
  const TemporaryFolder folder;
  Show(path, folder / "out", episodes);
  return ReadFile(folder / "out/index.html");
}

// What every layout's page must be: whole in itself, and honest about what is not there.
class GalleryLayoutTest : public ::testing::TestWithParam<LayoutCase> {};

TEST_P(GalleryLayoutTest, ThePageHoldsAllThatItShows) {
  const TemporaryFolder folder;
  std::vector<Episode> episodes = MakeSmoothEpisodes(2, {});
  for (Episode& episode : episodes) episode.clip.fps = GetParam().fps;
  GetParam().make(folder / "set", episodes);
  const std::string page = PageOf(folder / "set");
  EXPECT_THAT(page, HasSubstr("prompt 1"));
  EXPECT_EQ(CountParts(page, "src=\""), CountParts(page, "src=\"data:image/jpeg;base64,"));
  EXPECT_THAT(page, Not(HasSubstr("://")));
  const LayoutLimits limits = OpenDataSet(folder / "set").layout().Limits();
  const bool has_poses = limits.poses;
  // Two episodes of two views: eight moments, and four with the tool.
  EXPECT_EQ(CountParts(page, "<img"), has_poses ? 2U * 2 * (8 + 4) : 2U * 2 * 8);
  EXPECT_EQ(CountParts(page, "All episodes are without poses"), has_poses ? 0U : 1U);
  EXPECT_EQ(CountParts(page, "<svg class=scene"), limits.cameras ? 4U : 0U);
}

INSTANTIATE_TEST_SUITE_P(Table, GalleryLayoutTest, ::testing::ValuesIn(testing::LayoutCases()),
                         testing::CaseName());

class GalleryTest : public ::testing::Test {
 protected:
  GalleryTest() : episodes_(MakeSmoothEpisodes(3, {})) {}

  fs::path Write(const std::string& layout = "folder") const {
    testing::WriteThroughSink(layout, folder_ / "set", episodes_);
    return folder_ / "set";
  }

  TemporaryFolder folder_;
  std::vector<Episode> episodes_;
};

TEST_F(GalleryTest, WordsOfTheDataAreText) {
  episodes_[0].clip.prompt = "<script>alert(1)</script> & \"more\"";
  const std::string page = PageOf(Write());
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(1)"));
}

TEST_F(GalleryTest, WhatIsMissingIsSaid) {
  episodes_[0].clip.poses.clear();
  episodes_[1].clip.poses.resize(1);
  episodes_[2].clip.prompt.clear();
  const std::string page = PageOf(Write());
  EXPECT_THAT(page, HasSubstr("1 of 3 episodes are without poses."));
  EXPECT_THAT(page, HasSubstr("1 of 3 episodes are without poses after the first"));
  EXPECT_THAT(page, HasSubstr("neither the tool nor its path"));
  EXPECT_THAT(page, HasSubstr("The first pose alone is known."));
  EXPECT_THAT(page, HasSubstr("no prompt"));
}

TEST_F(GalleryTest, ViewsWithoutCalibrationAreShownBare) {
  for (Episode& episode : episodes_) {
    for (ClipView& view : episode.clip.views) view.camera.frames.clear();
  }
  const std::string page = PageOf(Write("lerobot"));
  EXPECT_THAT(page, HasSubstr("All episodes are without calibration"));
  EXPECT_THAT(page, HasSubstr("No calibration of view0, view1"));
  EXPECT_EQ(CountParts(page, "<img"), 3U * 2 * 8);
  EXPECT_THAT(page, HasSubstr("tippath"));
}

TEST_F(GalleryTest, AllAreCountedAndTheFirstAreShown) {
  const GalleryReport report = Show(Write(), folder_ / "out", 1);
  EXPECT_EQ(report.num_episodes, 3);
  EXPECT_EQ(report.num_shown, 1);
  const std::string page = ReadFile(folder_ / "out" / report.page);
  EXPECT_EQ(static_cast<size_t>(report.size_bytes), page.size());
  EXPECT_THAT(page, HasSubstr("<b>3</b><span>episodes</span>"));
  EXPECT_THAT(page, HasSubstr("The first 1 of 3"));
  EXPECT_EQ(CountParts(page, "<img"), 2U * (8 + 4));
  EXPECT_THAT(page, HasSubstr("<dt>path of the tip</dt><dd>0.14 to 0.14 m</dd>"));
  ExpectThrowsWith<ConfigError>([&] { Show(folder_ / "set", folder_ / "out"); },
                                {"--out", "not empty"});
}

TEST_F(GalleryTest, ThePageIsNoLargerThanItMayBe) {
  episodes_ = MakeSmoothEpisodes(6, {.size_px = 64});
  const GalleryReport report = Show(Write(), folder_ / "out", 12, 1);
  EXPECT_EQ(report.num_episodes, 6);
  EXPECT_LT(report.num_shown, 6);
  EXPECT_GE(report.num_shown, 1);
  EXPECT_LT(report.size_bytes, 2 << 20);
}

TEST_F(GalleryTest, DamagedEpisodesAreNamed) {
  const fs::path path = Write();
  fs::remove(path / "reach_target_variation3_episode1/view0.mp4");
  const GalleryReport report = Show(path, folder_ / "out");
  EXPECT_EQ(report.num_episodes, 2);
  ASSERT_EQ(report.skipped.size(), 1u);
  EXPECT_THAT(ReadFile(folder_ / "out/index.html"),
              HasSubstr("<b>reach_target_variation3_episode1</b>: "));
}

TEST_F(GalleryTest, SmallPicturesAreEnlargedUnderTheTool) {
  const std::string page = PageOf(Write());
  EXPECT_EQ(CountParts(page, "width=\"16\" height=\"16\""), 3U * 2 * 8);
  EXPECT_EQ(CountParts(page, "width=\"256\" height=\"256\""), 3U * 2 * 4);
}

TEST_F(GalleryTest, SharesSayOfWhat) {
  episodes_[2].clip.poses.clear();
  const std::string page = PageOf(Write());
  EXPECT_THAT(page, HasSubstr("% on average over the 18 frames with poses"));
  EXPECT_THAT(page, HasSubstr("% of its 18 frames with poses and calibration"));
}

TEST_F(GalleryTest, ThePageIsNotMadeInTheData) {
  const fs::path path = Write();
  ExpectThrowsWith<ConfigError>([&] { Show(path, path / "page"); }, {"--out", "which is read"});
  EXPECT_FALSE(fs::exists(path / "page"));
}

}  // namespace
}  // namespace aim
