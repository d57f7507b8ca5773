#include "aim/data/action_video.h"

#include <gtest/gtest.h>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/codec/pose_csv.h"
#include "aim/format/npy.h"
#include "aim/media/video.h"
#include "codec/rlbench_scene.h"
#include "media/make_video.h"
#include "support/matchers.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support

constexpr int kSizePx = 96;

// poses.csv and cameras.json of a short clip.
class ActionVideoTest : public ::testing::Test {
 protected:
  ActionVideoTest() {
    Rng rng(21);
    for (int i = 0; i < 5; ++i) poses_.push_back(RandomToolPose(rng));
    WritePosesCsv(folder_ / "poses.csv", poses_, 0.25);
    WriteCamerasJson(folder_ / "cameras.json",
                     {{"front", {FrontCamera(kSizePx)}}, {"overhead", {OverheadCamera(kSizePx)}}});
  }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  RunContext Run(const std::string& out) const { return RunContext({.out = folder_ / out}); }

  nlohmann::json Encode(const std::string& format, const std::string& out) const {
    RunContext run = Run(out);
    return ToJson(RunEncode(
        {Path("poses.csv"), Path("cameras.json"), FromWord<ActionVideoFormat>(format, "format")},
        run));
  }

  nlohmann::json Decode(const std::vector<std::string>& images,
                        const std::string& out = "out.csv") const {
    RunContext run = Run(out);
    DecodeOptions options;
    for (const std::string& image : images) options.images.push_back(Path(image));
    options.cameras = Path("cameras.json");
    return ToJson(RunDecode(options, run));
  }

  TemporaryFolder folder_;
  std::vector<ToolPose> poses_;
};

struct Format {
  std::string format, suffix;
  double tolerance_m, tolerance_rad, period_s;
};

TEST_F(ActionVideoTest, DecodesWhatItEncodedInEveryFormat) {
  const std::vector<Format> formats{{"npy", ".npy", 1e-5, 1e-4, 0.2},
                                    {"png", "", 3e-4, 5e-3, 0.2},
                                    {"mp4", ".mp4", 3e-4, 5e-3, 0.25}};
  for (const Format& test : formats) {
    SCOPED_TRACE(test.format);
    const std::string dir = "action_" + test.format;
    EXPECT_EQ(Encode(test.format, dir)["frames"], 5);
    const auto summary =
        Decode({dir + "/view0" + test.suffix, dir + "/view1" + test.suffix}, test.format + ".csv");
    EXPECT_EQ(summary["decoded"], 5);
    EXPECT_EQ(summary["from_prior"], 0);
    const std::vector<PoseRow> rows = ReadPosesCsv(folder_ / (test.format + ".csv"));
    ASSERT_EQ(rows.size(), poses_.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_THAT(rows[i].decoded.pose.world_from_tool,
                  RigidNear(poses_[i].world_from_tool, test.tolerance_m, test.tolerance_rad));
      EXPECT_NEAR(rows[i].decoded.pose.gripper_open, poses_[i].gripper_open, 0.02);
      EXPECT_NEAR(rows[i].time_s, test.period_s * static_cast<double>(i), 1e-9);
      EXPECT_EQ(rows[i].decoded.visible.size(), 6u);
    }
  }
}

// What people look at lies beside the video that programs read.
TEST_F(ActionVideoTest, VideosHaveAPreview) {
  const auto report = Encode("mp4", "action");
  EXPECT_EQ(report["files"], (std::vector<std::string>{"view0.mp4", "view0_preview.mp4",
                                                       "view1.mp4", "view1_preview.mp4"}));
  const Video preview = ReadVideo(folder_ / "action/view1_preview.mp4");
  EXPECT_EQ(preview.num_frames, 5);
  EXPECT_EQ(preview.format.width, 3 * kSizePx);
}

TEST_F(ActionVideoTest, NamesInCapitalsAndHiddenFilesDoNotMatter) {
  Encode("png", "pictures");
  Encode("mp4", "videos");
  const auto move = [&](const std::string& from, const std::string& to) {
    std::filesystem::rename(folder_ / from, folder_ / to);
  };
  move("pictures/view0/000003.png", "pictures/view0/000003.PNG");
  for (const char* name : {".DS_Store", "._000000.png", "._000003.PNG"}) {
    WriteFileAtomic(folder_ / "pictures/view0" / name, "no picture");
  }
  move("videos/view1.mp4", "videos/view1.MOV");
  EXPECT_EQ(Decode({"pictures/view0", "videos/view1.MOV"})["decoded"], 5);
}

// Of a video whose frames are not evenly spaced; an fps that was asked for goes before them.
TEST_F(ActionVideoTest, FramesHaveTheTimesOfTheVideo) {
  Encode("mp4", "even");
  const Video even = ReadVideo(folder_ / "even/view0.mp4");
  std::vector<Image> frames;
  for (int k = 0; k < 5; ++k) frames.push_back(FrameImage(even, k));
  const std::vector<int> times_ms = {0, 100, 200, 700, 800};
  const MadeVideo made{.container = "mov", .times_ms = times_ms};
  MakeVideo(folder_ / "uneven.mov", made, frames);
  Decode({"uneven.mov", "even/view1.mp4"}, "times.csv");
  const std::vector<PoseRow> rows = ReadPosesCsv(folder_ / "times.csv");
  for (size_t k = 0; k < 5; ++k) EXPECT_NEAR(rows[k].time_s, times_ms[k] / 1000.0, 1e-9);
  RunContext run = Run("asked.csv");
  RunDecode({.images = {Path("uneven.mov"), Path("even/view1.mp4")},
             .cameras = Path("cameras.json"),
             .fps = 20},
            run);
  EXPECT_NEAR(ReadPosesCsv(folder_ / "asked.csv")[3].time_s, 0.15, 1e-9);
}

TEST_F(ActionVideoTest, NpyHoldsTheRasterizersPictures) {
  Encode("npy", "action");
  const NpyArray array = ReadNpy(folder_ / "action" / "view1.npy");
  EXPECT_EQ(array.shape, (std::vector<int64_t>{5, 3, kSizePx, kSizePx}));
  const std::vector<float> video = ToFloats(array);
  const Picture expected = Draw(poses_[3], OverheadCamera(kSizePx));
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(),
                         video.begin() + 3 * static_cast<ptrdiff_t>(expected.size())));
}

TEST_F(ActionVideoTest, ViewsOfDifferentFormatsDecodeTogether) {
  Encode("npy", "floats");
  Encode("png", "bytes");
  EXPECT_EQ(Decode({"floats/view0.npy", "bytes/view1"})["decoded"], 5);
}

TEST_F(ActionVideoTest, NamesWhatIsWrong) {
  Encode("png", "action");
  std::filesystem::copy(folder_ / "action", folder_ / "gap",
                        std::filesystem::copy_options::recursive);
  std::filesystem::remove(folder_ / "gap" / "view1" / "000002.png");
  std::filesystem::copy(folder_ / "action", folder_ / "short",
                        std::filesystem::copy_options::recursive);
  std::filesystem::remove(folder_ / "short" / "view1" / "000004.png");
  std::filesystem::create_directory(folder_ / "empty");
  WriteNpy(folder_ / "bytes.npy", {5, 3, 2, 2}, std::vector<uint8_t>(60));
  WriteNpy(folder_ / "wide.npy", {1, 3, 2, 2}, std::vector<float>(12, 0.5f));
  WriteNpy(folder_ / "range.npy", {1, 3, 2, 2}, std::vector<float>(12, 63.0f));
  WriteFileAtomic(folder_ / "words.txt", "no picture");
  struct Case {
    std::string name;
    std::vector<std::string> images, words;
  };
  const std::vector<Case> cases{
      {"one view", {"action/view0"}, {"--images is given for 1 view; expected 2, as in"}},
      {"missing", {"action/view0", "nothing.npy"}, {"nothing.npy"}},
      {"unknown kind", {"action/view0", "words.txt"}, {"words.txt", "another kind", ".npy"}},
      {"empty folder", {"action/view0", "empty"}, {"empty", "000000.png"}},
      {"gap", {"action/view0", "gap/view1"}, {"gap/view1", "frame 2 is missing"}},
      {"lengths",
       {"action/view0", "short/view1"},
       {"short/view1 is 4 frames long; expected 5, as "}},
      {"bytes",
       {"bytes.npy", "bytes.npy"},
       {"bytes.npy", "[5, 3, 2, 2] of another type", "float32"}},
      {"size", {"wide.npy", "wide.npy"}, {"wide.npy", "2 x 2", "96 x 96", "front"}},
      {"range", {"range.npy", "range.npy"}, {"range.npy", "63", "[0, 1]"}},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.name);
    ExpectThrowsWith<InputError>([&] { Decode(test.images); }, test.words);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out.csv"));
  }
}

TEST_F(ActionVideoTest, ImagesInAnotherConventionAreRefused) {
  Encode("npy", "action");
  const NpyArray array = ReadNpy(folder_ / "action" / "view0.npy");
  std::vector<float> values = ToFloats(array);
  for (float& value : values) value = 2 * value - 1;
  WriteNpy(folder_ / "signed.npy", array.shape, values);
  ExpectThrowsWith<InputError>(
      [&] {
        Decode({"signed.npy", "action/view1.npy"});
      },
      {"signed.npy", "[-1, 1]", "[0, 1]"});
}

TEST_F(ActionVideoTest, CamerasOfSomethingElseAreRefusedWithTheReadingThatFits) {
  Encode("npy", "action");
  const std::vector<std::string> images = {"action/view0.npy", "action/view1.npy"};
  const Camera front = FrontCamera(kSizePx), overhead = OverheadCamera(kSizePx);
  WriteCamerasJson(folder_ / "cameras.json", {{"front", {overhead}}, {"overhead", {front}}});
  ExpectThrowsWith<InputError>([&] { Decode(images); },
                               {"cameras.json", "contradicted", "of 5 frames", "are swapped"});
  std::vector<CameraTrack> opengl = {{"front", {front}}, {"overhead", {overhead}}};
  for (CameraTrack& track : opengl) {
    track.frames[0].world_from_camera.rotation *= Eigen::Quaterniond(0, 1, 0, 0);
  }
  WriteCamerasJson(folder_ / "cameras.json", opengl);
  ExpectThrowsWith<InputError>([&] { Decode(images); }, {"contradicted", "OpenGL's axes"});
  ExpectThrowsWith<InputError>([&] { Encode("npy", "blind"); },
                               {"cameras.json", "none sees the tool", "OpenGL's axes"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.csv"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "blind"));
}

TEST_F(ActionVideoTest, FramesAndTimesMustBeWhatAVideoHolds) {
  const std::string text = ReadFile(folder_ / "poses.csv");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    WriteFileAtomic(folder_ / "poses.csv", changed);
  };
  with("\n4,1,", "\n5,1,");
  ExpectThrowsWith<InputError>([&] { Encode("npy", "a"); }, {"poses.csv", "frame is 5", "4"});
  with("\n3,0.75,", "\n3,0.9,");
  ExpectThrowsWith<InputError>([&] { Encode("mp4", "a"); }, {"time_s", "unevenly", "npy"});
  EXPECT_EQ(Encode("npy", "a")["frames"], 5) << "pictures alone have no rate";
}

TEST_F(ActionVideoTest, CamerasAndPosesMustMatch) {
  WriteCamerasJson(folder_ / "cameras.json",
                   {{"front", {FrontCamera(64), FrontCamera(64)}}, {"over", {OverheadCamera(64)}}});
  ExpectThrowsWith<InputError>([&] { Encode("npy", "action"); },
                               {"front", "2 cameras", "5 frames"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "action"));
}

TEST(ActionVideoOptionsTest, RequiredFlagsAreNamed) {
  RunContext run;
  ExpectThrowsWith<ConfigError>([&] { RunEncode({}, run); }, {"--poses", "missing"});
  ExpectThrowsWith<ConfigError>([&] { RunDecode({}, run); }, {"--images", "missing"});
}

}  // namespace
}  // namespace aim
