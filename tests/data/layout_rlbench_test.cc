// What is special to RLBench's own files; the suite of all layouts is layout_test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "aim/base/error.h"
#include "aim/data/data_set.h"
#include "data/make_episode.h"
#include "data/rlbench_demo.h"
#include "data/rlbench_files.h"
#include "support/matchers.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "support/tolerance.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using testing::ExpectThrowsWith;
using testing::TemporaryFolder;

class RlbenchPickleTest : public ::testing::TestWithParam<const char*> {
 protected:
  static fs::path Path() {
    return testing::SourceDir() / "tests/data/rlbench" / (std::string(GetParam()) + ".pkl");
  }
};

// scripts/make_rlbench_fixtures.py says what is in them.
TEST_P(RlbenchPickleTest, HoldsTheSameWhoeverWroteIt) {
  const RlbenchDemo demo = ReadRlbenchDemo(Path());
  ASSERT_EQ(demo.size(), 2u);
  const std::vector<ToolPose> poses = demo.Poses();
  EXPECT_EQ(poses[1].world_from_tool.translation, Eigen::Vector3d(0.25, -0.125, 1.5));
  EXPECT_DOUBLE_EQ(poses[0].world_from_tool.rotation.y(), 0.6);
  EXPECT_EQ(poses[0].gripper_open, 1);
  EXPECT_EQ(poses[1].gripper_open, 0);
  const CameraTrack front = demo.Cameras("front", 128, 128);
  ASSERT_EQ(front.frames.size(), 2u);
  EXPECT_EQ(front.frames[1].fx, 175.5);
  EXPECT_EQ(front.frames[1].fy, 176.5);
  EXPECT_EQ(front.frames[1].cx, 64);
  EXPECT_EQ(front.frames[1].world_from_camera.translation, Eigen::Vector3d(1, 2, 4));
}

TEST_P(RlbenchPickleTest, CutAnywhereItIsRefused) {
  const std::string bytes = ReadFile(Path());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(RlbenchDemo(bytes.substr(0, size), "cut"), FormatError) << size;
  }
}

// Read or refused, whichever bit is wrong.
TEST_P(RlbenchPickleTest, FlippedBitsDoNoHarm) {
  const std::string bytes = ReadFile(Path());
  Rng rng(7);
  for (int i = 0; i < 2000; ++i) {
    std::string flipped = bytes;
    flipped[rng.UniformInt(bytes.size())] ^= static_cast<char>(1 << rng.UniformInt(8));
    try {
      const RlbenchDemo demo(flipped, "flipped");
      demo.Poses();
      demo.Cameras("front", 128, 128);
    } catch (const InputError&) {
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Files, RlbenchPickleTest,
                         ::testing::Values("numpy1_protocol2", "numpy1_protocol3",
                                           "numpy1_protocol4", "numpy1_protocol5",
                                           "numpy2_protocol2", "numpy2_protocol3",
                                           "numpy2_protocol4", "numpy2_protocol5"),
                         [](const auto& file) { return std::string(file.param); });

class RlbenchTest : public ::testing::Test {
 protected:
  RlbenchTest() {
    Rng rng(4);
    episode_ = testing::MakeEpisode({.num_frames = 3}, rng);
  }

  fs::path Folder() const { return folder_ / "reach_target/variation3/episodes/episode0"; }

  // Of what was written, the one episode.
  Episode Read() {
    testing::WriteRlbenchEpisode(Folder(), episode_);
    const DataSet data = OpenDataSet(folder_.path());
    return data.Read(data.episodes().at(0));
  }

  void ExpectRefused(const std::vector<std::string>& words) {
    ExpectThrowsWith<InputError>([&] { Read(); }, words);
  }

  TemporaryFolder folder_;
  Episode episode_;
};

// RLBench's own tree: what PerAct writes into the episode stands in the variation.
TEST_F(RlbenchTest, InstructionsOfAVariationCount) {
  Read();
  fs::remove(Folder() / "variation_number.pkl");
  fs::rename(Folder() / "variation_descriptions.pkl",
             folder_ / "reach_target/variation3/variation_descriptions.pkl");
  const DataSet data = OpenDataSet(folder_.path());
  const Episode episode = data.Read(data.episodes().at(0));
  EXPECT_EQ(data.episodes()[0].name, "reach_target/variation3/episode0");
  EXPECT_EQ(episode.clip.prompt, episode_.clip.prompt);
  EXPECT_EQ(episode.task, "reach_target");
  EXPECT_EQ(episode.variation, 3);
  EXPECT_EQ(episode.clip.fps, 20);
}

TEST_F(RlbenchTest, ViewsCarryTheCamerasNames) {
  const Episode episode = Read();
  EXPECT_EQ(episode.clip.views[0].camera.name, "front");
  EXPECT_EQ(episode.clip.views[1].camera.name, "left_shoulder");
}

// Depths and masks are not read: they may come and go. Pictures may not.
TEST_F(RlbenchTest, TheStampIsOfWhatIsRead) {
  Read();
  const auto stamp = [&] {
    const DataSet data = OpenDataSet(folder_.path());
    return data.Stamp(data.episodes().at(0));
  };
  const std::string before = stamp();
  WriteFileAtomic(Folder() / "front_depth/0.png", "a depth");
  EXPECT_EQ(stamp(), before);
  WriteFileAtomic(Folder() / "front_rgb/1.png", ReadFile(Folder() / "front_rgb/0.png"));
  EXPECT_NE(stamp(), before);
}

TEST_F(RlbenchTest, ViewsAreChosenByName) {
  testing::WriteRlbenchEpisode(Folder(), episode_);
  const DataSet data = OpenDataSet(folder_.path()).WithViews({"left_shoulder"});
  const Clip clip = data.Read(data.episodes().at(0)).clip;
  ASSERT_EQ(clip.views.size(), 1u);
  EXPECT_TRUE(clip.views[0].rgb == episode_.clip.views[1].rgb);
  const auto read = [&](const std::vector<std::string>& views) {
    const DataSet other = data.WithViews(views);
    other.Read(other.episodes().at(0));
  };
  ExpectThrowsWith<InputError>([&] { read({"wrist"}); }, {"called wrist", "front, left_shoulder"});
  ExpectThrowsWith<ConfigError>([&] { read({"front", "front"}); }, {"front asked for twice"});
}

TEST_F(RlbenchTest, PicturesOfAnotherSizeThanTheCamerasAreRefused) {
  for (ClipView& view : episode_.clip.views) {
    Camera& camera = view.camera.frames[0];
    camera = CropAndResize(camera, 0, 0, 16, 16, 12, 12);
  }
  ExpectRefused({"camera front.intrinsics", "for pictures of 12 x 12", "16x16"});
}

TEST_F(RlbenchTest, APoseThatIsNoneIsNamed) {
  episode_.clip.poses[2].world_from_tool.translation.z() = std::numeric_limits<double>::quiet_NaN();
  ExpectRefused({"low_dim_obs.pkl observation 2", "z", "NaN"});
}

TEST_F(RlbenchTest, PicturesWithoutACameraAreNamed) {
  Read();
  fs::rename(Folder() / "left_shoulder_rgb", Folder() / "overhead_rgb");
  const DataSet data = OpenDataSet(folder_.path());
  ExpectThrowsWith<InputError>([&] { data.Read(data.episodes().at(0)); },
                               {"observation 0.misc", "without overhead_camera_intrinsics"});
}

TEST_F(RlbenchTest, AnotherNumberOfObservationsIsRefused) {
  Read();
  Clip longer = episode_.clip;
  longer.poses.push_back(longer.poses.back());
  WriteFileAtomic(Folder() / "low_dim_obs.pkl", testing::PickledDemo(longer));
  const DataSet data = OpenDataSet(folder_.path());
  ExpectThrowsWith<InputError>([&] { data.Read(data.episodes().at(0)); },
                               {"low_dim_obs.pkl", "4 observations", "expected 3"});
}

TEST_F(RlbenchTest, NothingInAPickleIsExecuted) {
  Read();
  WriteFileAtomic(Folder() / "low_dim_obs.pkl",
                  testing::PickledFile("cos\nsystem\n(" + testing::PickledText("true") + "tR"));
  const DataSet data = OpenDataSet(folder_.path());
  ExpectThrowsWith<FormatError>([&] { data.Read(data.episodes().at(0)); }, {"os.system"});
}

// Episodes of PerAct's data set. Kept outside the repository: skipped where they are missing.
TEST(RlbenchRealDataTest, CamerasAndPosesAreThoseOfTheRecording) {
  const fs::path root = testing::SourceDir() / "../shared/data/rlbench_peract";
  if (!fs::exists(root)) GTEST_SKIP() << "no recorded RLBench episodes at " << root;
  const DataSet data = OpenDataSet(root);
  ASSERT_EQ(data.episodes().size(), 2u);
  const std::unique_ptr<OpenEpisode> open = data.Open(data.episodes()[0]);
  const Clip& clip = open->facts().clip;
  ASSERT_EQ(clip.views.size(), 5u);
  EXPECT_EQ(clip.prompt.substr(0, 4), "open");
  // Where the tip of frame 41 lies, in edge coordinates, measured on the recording.
  const std::vector<Eigen::Vector2d> tips = {
      {92.38, 40.10}, {51.96, 50.43}, {2.76, 39.20}, {38.22, 80.92}};
  for (size_t view = 0; view < tips.size(); ++view) {
    const auto tip =
        Project(clip.views[view].camera.at(41), clip.poses.at(41).world_from_tool.translation);
    ASSERT_TRUE(tip.has_value());
    EXPECT_THAT(tip->uv, testing::PixelNear(tips[view], testing::kTwoDigitsPx))
        << clip.views[view].camera.name;
  }
  EXPECT_EQ(clip.views[0].camera.frames.size(), 1u);
  EXPECT_GT(clip.views[4].camera.frames.size(), 1u);  // the wrist moves
  EXPECT_EQ(open->Read({40, 42}).clip.views[0].rgb.size(), 2u * 128 * 128 * 3);
}

}  // namespace
}  // namespace aim
