// What is special to BridgeData's own files; the suite of all layouts is layout_test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/data/data_set.h"
#include "aim/data/inspect.h"
#include "data/make_episode.h"
#include "data/marked_folders.h"
#include "data/recorded_files.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using testing::PickledArray;
using testing::PickledFile;
using testing::PickledItems;
using testing::PickledObservations;
using testing::TemporaryFolder;

class BridgeRawTest : public ::testing::Test {
 protected:
  BridgeRawTest() {
    Rng rng(4);
    clip_ = testing::MakeEpisode({.num_frames = 4}, rng).clip;
    clip_.prompt = "put the spoon in the pot";
    testing::WriteBridgeRawEpisode(traj_, clip_);
  }

  Episode Read() {
    const DataSet data = OpenDataSet(folder_.path(), "bridge-raw");
    return data.Open(data.episodes().at(0))->Read({});
  }

  TemporaryFolder folder_;
  fs::path traj_ = folder_ / "datacol2/raw/traj_group0/traj3";
  Clip clip_;
};

TEST_F(BridgeRawTest, ItsCamerasAndInstructionAreRead) {
  const Episode read = Read();
  EXPECT_EQ(read.clip.prompt, "put the spoon in the pot");
  EXPECT_EQ(read.clip.fps, 5);
  ASSERT_EQ(read.clip.views.size(), 2u);
  EXPECT_EQ(read.clip.views[0].camera.name, "images0");
  EXPECT_EQ(read.clip.views[1].camera.name, "images1");
  EXPECT_TRUE(read.clip.poses.empty());
}

// As it was recorded: JPEG, depth beside it, and an instruction that several people wrote or
// nobody.
TEST_F(BridgeRawTest, WhatLiesBesideIsLeftAlone) {
  WriteImage(traj_ / "depth_images0/im_0.png", Image(16, 16));
  WriteFileAtomic(traj_ / "agent_data.pkl", "no pickle");
  for (int frame = 0; frame < 4; ++frame) {
    Image grey(16, 16);
    std::ranges::fill(grey.rgb, static_cast<uint8_t>(40 * frame));
    WriteImage(traj_ / "images0" / ("im_" + std::to_string(frame) + ".jpg"), grey);
  }
  WriteFileAtomic(traj_ / "lang.txt", "confidence: 0.5\n\nmove the pot \r\nlift it\n");
  const Episode read = Read();
  EXPECT_EQ(read.clip.prompt, "move the pot");
  EXPECT_EQ(read.clip.views.size(), 2u);
  EXPECT_NEAR(read.clip.views[0].rgb.back(), 120, 3);
  fs::remove(traj_ / "lang.txt");
  EXPECT_EQ(Read().clip.prompt, "");
}

// A camera that dropped frames, and recordings of before times were kept.
TEST_F(BridgeRawTest, TimesAreThoseOfTheRecording) {
  WriteFileAtomic(traj_ / "obs_dict.pkl", PickledObservations({100, 100.2, 100.4, 101.1}));
  const Episode late = Read();
  EXPECT_EQ(late.clip.fps, 5);
  ASSERT_EQ(late.times_s.size(), 4u);
  EXPECT_NEAR(late.times_s[3], 1.1, 1e-9);
  WriteFileAtomic(traj_ / "obs_dict.pkl", PickledObservations({100, 100.4, 100.8, 101.2}));
  EXPECT_NEAR(Read().clip.fps, 2.5, 1e-9);
  WriteFileAtomic(traj_ / "obs_dict.pkl",
                  PickledFile(PickledItems({{"state", PickledArray({1}, {0})}})));
  EXPECT_THAT(Read().times_s, ElementsAre(0, 0.2, 0.4, 0.6));
}

TEST_F(BridgeRawTest, WhatIsWrongIsNamed) {
  const auto expect = [&](const std::string& pickle, const std::vector<std::string>& words) {
    WriteFileAtomic(traj_ / "obs_dict.pkl", pickle);
    ExpectThrowsWith<InputError>([&] { Read(); }, words);
  };
  expect(PickledObservations({1, 2}), {"obs_dict.pkl: time_stamp", "2 times", "4"});
  expect(PickledObservations({1, 2, 2, 3}), {"time_stamp", "not later in row 2"});
  expect(PickledFile("N"), {"obs_dict.pkl", "another object"});
  expect(
      "\x80\x02"
      "cos\nsystem\n.",
      {"obs_dict.pkl", "os.system"});
  expect(PickledObservations({1, 2, 3}).substr(0, 60), {"obs_dict.pkl"});
  testing::WriteBridgeRawEpisode(traj_, clip_);
  fs::remove(traj_ / "images1/im_3.jpg");
  ExpectThrowsWith<InputError>([&] { Read(); }, {"images1", "3 frames", "4 frames"});
  fs::remove_all(traj_ / "images0");
  fs::remove_all(traj_ / "images1");
  ExpectThrowsWith<InputError>([&] { Read(); }, {"traj3", "without pictures"});
}

// One more file may be opened: that is the root, and what lies in it cannot be listed.
TEST(MarkedFoldersTest, FoldersThatCannotBeReadAreNamed) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "lab/day");
  const FolderMark mark{.file = "mark", .max_depth = 3, .left_out = ""};
  std::string said;
  SetLogSink([&said](LogLevel, const std::string& text) { said += text + "\n"; });
  EXPECT_TRUE(ListMarkedFolders(folder.path(), mark).episodes.empty());
  EXPECT_EQ(said, "");
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const int next = ::dup(STDOUT_FILENO);
  ASSERT_GE(next, 0);
  ::close(next);
  const rlimit one_more{static_cast<rlim_t>(next) + 1, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &one_more), 0);
  ListMarkedFolders(folder.path(), mark);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  SetLogSink(nullptr);
  EXPECT_THAT(said, HasSubstr("left out " + (folder / "lab").string()));
  EXPECT_THAT(said, HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace aim
