#include "aim/data/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "aim/base/atomic_file.h"
#include "aim/base/parse_json.h"
#include "data/layout_cases.h"
#include "data/smooth_episode.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using testing::MakeSmoothEpisodes;
using testing::TemporaryFolder;

constexpr const char* kName = "reach_target_variation3_episode";

class MergeTest : public ::testing::Test {
 protected:
  MergeTest() {
    Write("a", "folder", 1, 2);
    Write("b", "action-images", 2, 3);
  }

  void Write(const std::string& name, const std::string& layout, uint64_t seed, int count,
             int size_px = 16) const {
    testing::WriteThroughSink(
        layout, folder_ / name,
        MakeSmoothEpisodes(count, {.num_frames = 4, .size_px = size_px}, seed));
  }

  MergeReport Merge(const std::vector<std::string>& names, MergeOptions options = {},
                    bool resume = false) const {
    for (const std::string& name : names) options.paths.push_back((folder_ / name).string());
    options.paths.push_back((folder_ / "out").string());
    RunContext run({.out = {}, .resume = resume});
    return RunMerge(options, run);
  }

  std::vector<std::string> NamesOf(const std::string& name) const {
    std::vector<std::string> names;
    for (const EpisodeRef& ref : OpenDataSet(folder_ / name).episodes()) names.push_back(ref.name);
    return names;
  }

  TemporaryFolder folder_;
};

// "a_b" of the one set and "a/b" of the other would be one folder.
TEST_F(MergeTest, NamesThatClashGetThePrefixOfTheirSet) {
  const MergeReport report = Merge({"a", "b"});
  EXPECT_EQ(report.num_episodes, 5);
  EXPECT_EQ(report.num_frames, 20);
  ASSERT_EQ(report.sets.size(), 2u);
  EXPECT_EQ(report.sets[1].layout, "action-images");
  EXPECT_EQ(report.sets[1].num_episodes, 3);
  ASSERT_EQ(report.renamed.size(), 2u);
  EXPECT_EQ(report.renamed[0].episode, "reach_target/variation3/episode0");
  EXPECT_EQ(report.renamed[0].name, std::string("b_") + kName + "0");
  EXPECT_THAT(NamesOf("out"), ElementsAre(std::string("b_") + kName + "0",
                                          std::string("b_") + kName + "1", std::string(kName) + "0",
                                          std::string(kName) + "1", std::string(kName) + "2"));
  EXPECT_EQ(ParseJson(ReadFile(folder_ / "out/report.json"))["renamed"].size(), 2u);
  const DataSet out = OpenDataSet(folder_ / "out");
  const DataSet b = OpenDataSet(folder_ / "b");
  EXPECT_EQ(out.Read(out.episodes()[1]).clip.views[1].rgb,
            b.Read(b.episodes()[1]).clip.views[1].rgb);
}

TEST_F(MergeTest, WhereTasksAreNumberedTheNextNumberIsTaken) {
  const MergeReport report = Merge({"b", "a", "a"}, {.to = "action-images"});
  EXPECT_EQ(report.num_episodes, 5);
  EXPECT_EQ(report.repeated.size(), 2u);
  EXPECT_EQ(report.sets[2].prefix, "a-2");
  EXPECT_EQ(NamesOf("out").size(), 5u);
  Write("c", "action-images", 9, 2);
  fs::remove_all(folder_ / "out");
  EXPECT_EQ(Merge({"b", "c"}, {.to = "action-images"}).renamed[1].name,
            "reach_target/variation3/episode4");
}

TEST_F(MergeTest, TheSameEpisodeIsKeptOnce) {
  Write("copy", "lerobot", 1, 2);  // of "a", in float32
  const MergeReport report = Merge({"a", "b", "copy"});
  EXPECT_EQ(report.num_episodes, 5);
  ASSERT_EQ(report.repeated.size(), 2u);
  EXPECT_EQ(report.repeated[1].data, "copy");
  EXPECT_EQ(report.repeated[1].name, std::string(kName) + "1");
  std::vector<Episode> relabelled = MakeSmoothEpisodes(2, {.num_frames = 4}, 1);
  for (Episode& episode : relabelled) episode.clip.prompt += " in other words";
  testing::WriteThroughSink("folder", folder_ / "words", relabelled);
  fs::remove_all(folder_ / "out");
  EXPECT_EQ(Merge({"a", "words"}).num_episodes, 4);
}

// What an edit makes alike is the same, too.
TEST_F(MergeTest, ASetAndItsSlowerCopyAreOne) {
  RunContext run;
  RunConvert({.source = (folder_ / "a").string(),
              .destination = (folder_ / "slow").string(),
              .edit = {.fps = 4}},
             run);
  const MergeReport report = Merge({"a", "slow"}, {.edit = {.fps = 4}});
  EXPECT_EQ(report.num_episodes, 2);
  EXPECT_EQ(report.repeated.size(), 2u);
}

TEST_F(MergeTest, WhatIsThereIsNotWrittenAgain) {
  const MergeReport first = Merge({"a", "b", "a"});
  const std::vector<std::string> names = NamesOf("out");
  const auto kept = fs::last_write_time(folder_ / "out" / names[0] / "view0.mp4");
  fs::remove_all(folder_ / "out" / names[1]);
  // As if it was killed: the last line is cut, nothing is finished.
  const fs::path lines = folder_ / "out/written.jsonl";
  fs::resize_file(lines, fs::file_size(lines) - 9);
  const MergeReport again = Merge({"a", "b", "a"}, {}, true);
  EXPECT_EQ(again.num_episodes, 5);
  EXPECT_EQ(again.num_resumed, 3);
  EXPECT_EQ(again.repeated.size(), 2u);
  EXPECT_EQ(again.renamed.size(), first.renamed.size());
  EXPECT_EQ(NamesOf("out"), names);
  EXPECT_EQ(fs::last_write_time(folder_ / "out" / names[0] / "view0.mp4"), kept);
  ExpectThrowsWith<ConfigError>([&] { Merge({"b", "a"}, {}, true); }, {"paths", "as in the run"});
}

TEST_F(MergeTest, ShapesMustAgree) {
  Write("large", "folder", 4, 1, 32);
  ExpectThrowsWith<InputError>(
      [&] {
        Merge({"a", "large"});
      },
      {"large", "32x32", "16x16", "--width"});
  EXPECT_FALSE(fs::exists(folder_ / "out"));
  const MergeReport report = Merge({"a", "large"}, {.edit = {.width = 16, .height = 16}});
  EXPECT_EQ(report.num_episodes, 3);
  for (const EpisodeRef& ref : OpenDataSet(folder_ / "out").episodes()) {
    EXPECT_EQ(OpenDataSet(folder_ / "out").Shape(ref).width, 16) << ref.name;
  }
}

TEST_F(MergeTest, ViewsOfOtherOrderMustBeNamed) {
  std::vector<Episode> swapped = MakeSmoothEpisodes(1, {.num_frames = 4}, 6);
  for (Episode& episode : swapped) {
    episode.clip.views[0].camera.name = "view1";
    episode.clip.views[1].camera.name = "view0";
  }
  testing::WriteThroughSink("folder", folder_ / "swapped", swapped);
  ExpectThrowsWith<InputError>(
      [&] {
        Merge({"a", "swapped"});
      },
      {"view1, view0", "view0, view1", "--views"});
  EXPECT_EQ(Merge({"a", "swapped"}, {.edit = {.views = {"view0", "view1"}}}).num_episodes, 3);
}

TEST_F(MergeTest, DamagedEpisodesAreLeftOutAndNamed) {
  fs::remove(folder_ / "b/reach_target/variation3/episodes/episode1/actions.npy");
  const MergeReport report = Merge({"a", "b"});
  EXPECT_EQ(report.num_episodes, 4);
  ASSERT_EQ(report.skipped.size(), 1u);
  EXPECT_EQ(report.skipped[0].episode, "b/reach_target/variation3/episode1");
}

TEST_F(MergeTest, ASetWithoutAReadableEpisodeIsRefused) {
  for (const char* episode : {"episode0", "episode1", "episode2"}) {
    fs::remove(folder_ / "b/reach_target/variation3/episodes" / episode / "actions.npy");
  }
  ExpectThrowsWith<InputError>([&] { Merge({"a", "b"}); }, {"b", "without an episode"});
  ExpectThrowsWith<ConfigError>([&] { Merge({"a"}); },
                                {"PATH is given 2 times; expected two or more"});
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

// Episodes that share files must be alike in all that those hold.
TEST_F(MergeTest, SetsThatCannotShareFilesAreRefused) {
  std::vector<Episode> others = MakeSmoothEpisodes(2, {.num_frames = 4}, 7);
  for (Episode& episode : others) {
    episode.clip.views[0].camera.name = "front";
    episode.clip.views[1].camera.name = "wrist";
  }
  testing::WriteThroughSink("lerobot", folder_ / "named", others);
  ExpectThrowsWith<InputError>(
      [&] {
        Merge({"a", "named"}, {.to = "lerobot"});
      },
      {"named", "front, wrist", "view0, view1"});
  EXPECT_FALSE(fs::exists(folder_ / "out"));
  EXPECT_EQ(Merge({"a", "named"}).num_episodes, 4);
}

}  // namespace
}  // namespace aim
