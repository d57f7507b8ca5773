#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/codec/pose_csv.h"
#include "aim/data/cut_clip.h"
#include "aim/media/video.h"
#include "data/read_single.h"
#include "media/make_video.h"
#include "support/case_name.h"
#include "support/matchers.h"
#include "support/scene.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::ExpectThrowsWith;
using testing::ReadSingle;
using testing::RigidNear;
using testing::TemporaryFolder;

constexpr int kSize = 16;

// Two views of `num_frames` frames; every pixel of frame k of view v is 10 k + v.
void WriteVideos(const fs::path& folder, int num_frames) {
  for (int v = 0; v < 2; ++v) {
    std::vector<uint8_t> rgb;
    for (int k = 0; k < num_frames; ++k) {
      rgb.insert(rgb.end(), kSize * kSize * 3, static_cast<uint8_t>(10 * k + v));
    }
    WriteVideo(folder / ("view" + std::to_string(v) + ".mp4"), {kSize, kSize, 5}, rgb,
               {.lossless = true});
  }
}

std::vector<CameraTrack> TwoCameras() {
  Rng rng(4);
  std::vector<CameraTrack> tracks;
  for (const Camera& camera : testing::MakeCameraRig({.num_views = 2, .size_px = kSize}, rng)) {
    tracks.push_back({"view" + std::to_string(tracks.size()), {camera}});
  }
  return tracks;
}

std::vector<ToolPose> Poses(int count) {
  Rng rng(9);
  std::vector<ToolPose> poses;
  for (int i = 0; i < count; ++i) poses.push_back(testing::RandomToolPose(rng));
  return poses;
}

void WriteWhole(const fs::path& folder) {
  WriteVideos(folder, 4);
  WriteCamerasJson(folder / "cameras.json", TwoCameras());
  WriteFileAtomic(folder / "prompt.txt", "push the button\r\nsecond line\n");
  WritePosesCsv(folder / "poses.csv", Poses(4), 0.2);
}

// As editors of other systems write it.
TEST(ClipFolder, PromptsOfAnyEncoding) {
  const TemporaryFolder folder;
  WriteWhole(folder / "b");
  const std::string expected = "mets le caf\xC3\xA9";
  std::string utf16 = "\xFF\xFE";
  for (const char c : std::string("mets le caf\xE9\r\n")) utf16 += {c, '\0'};
  for (const std::string& text : {expected + "\n", "\xEF\xBB\xBF" + expected + "\r\n",
                                  std::string("mets le caf\xE9\n"), utf16}) {
    WriteFileAtomic(folder / "b/prompt.txt", text);
    EXPECT_EQ(ReadSingle(folder / "b").clip.prompt, expected);
  }
}

TEST(ClipFolder, ReadsWhatLiesThere) {
  const TemporaryFolder folder;
  WriteWhole(folder / "b");
  const Clip clip = ReadSingle(folder / "b").clip;
  EXPECT_EQ(clip.width, kSize);
  EXPECT_NEAR(clip.fps, 5, 1e-9);
  EXPECT_EQ(clip.prompt, "push the button");
  ASSERT_EQ(clip.views.size(), 2u);
  EXPECT_EQ(clip.views[1].num_frames, 4);
  EXPECT_EQ(clip.views[1].rgb.back(), 31);
  EXPECT_THAT(clip.views[1].camera.at(0).world_from_camera,
              RigidNear(TwoCameras()[1].at(0).world_from_camera, 1e-9, 1e-7));
  EXPECT_EQ(clip.poses.size(), 4u);
}

TEST(ClipFolder, PromptAndPosesMayBeMissing) {
  const TemporaryFolder folder;
  WriteWhole(folder.path());
  fs::remove(folder / "prompt.txt");
  WritePosesCsv(folder / "poses.csv", Poses(1), 0.2);
  EXPECT_EQ(ReadSingle(folder.path()).clip.poses.size(), 1u);
  fs::remove(folder / "poses.csv");
  const Clip clip = ReadSingle(folder.path()).clip;
  EXPECT_TRUE(clip.poses.empty());
  EXPECT_EQ(clip.prompt, "");
}

// As cameras and phones name them; what macOS leaves beside them is none of it.
TEST(ClipFolder, VideosMayHaveAnyUsualName) {
  const TemporaryFolder folder;
  WriteWhole(folder / "clip");
  fs::rename(folder / "clip/view0.mp4", folder / "clip/view0.MP4");
  fs::rename(folder / "clip/view1.mp4", folder / "clip/view1.mov");
  for (const char* name : {"clip/._view0.MP4", "clip/.DS_Store", "._clip"}) {
    WriteFileAtomic(folder / name, "not a video");
  }
  const Clip clip = ReadSingle(folder.path()).clip;
  ASSERT_EQ(clip.views.size(), 2u);
  EXPECT_EQ(clip.views[1].rgb.back(), 31);
}

void WriteVideoAt(const fs::path& path, const std::vector<int>& times_ms) {
  const testing::MadeVideo made{.container = "matroska", .times_ms = times_ms};
  testing::MakeVideo(path, made, std::vector<Image>(times_ms.size(), Image(kSize, kSize)));
}

TEST(ClipFolder, FramesHaveTheTimesOfTheFile) {
  const TemporaryFolder folder;
  WriteWhole(folder.path());
  const std::vector<int> times_ms = {0, 100, 200, 700};
  for (const char* view : {"view0", "view1"}) {
    fs::remove(folder / (std::string(view) + ".mp4"));
    WriteVideoAt(folder / (std::string(view) + ".mkv"), times_ms);
  }
  const DataSet data = OpenDataSet(folder.path());
  const Episode whole = data.Read(data.episodes().at(0));
  ASSERT_EQ(whole.times_s.size(), 4u);
  for (size_t k = 0; k < 4; ++k) EXPECT_NEAR(whole.times_s[k], times_ms[k] / 1000.0, 1e-9);
  EXPECT_NEAR(whole.clip.fps, 10, 1e-6);
  EXPECT_THAT(data.Read(data.episodes()[0], {2, 4}).times_s,
              ElementsAre(whole.times_s[2], whole.times_s[3]));
}

// Frames of two moments must not be taken for one; a clock that started later may be the reason.
TEST(ClipFolder, ViewsOfOtherTimesAreRefusedLateOnesNamed) {
  const TemporaryFolder folder;
  WriteWhole(folder.path());
  fs::remove(folder / "view1.mp4");
  WriteVideoAt(folder / "view1.mkv", {0, 200, 400, 1000});
  ExpectThrowsWith<InputError>([&] { ReadSingle(folder.path()); },
                               {"view1.mkv", "frame 3 comes 0.4 s later", "view0"});
  WriteVideoAt(folder / "view1.mkv", {1000, 1200, 1400, 1600});
  std::string warning;
  SetLogSink([&](LogLevel, const std::string& message) { warning = message; });
  EXPECT_EQ(ReadSingle(folder.path()).times_s.at(0), 0);
  SetLogSink(nullptr);
  EXPECT_THAT(warning, ::testing::HasSubstr("view1.mkv starts 1 s after view0"));
}

TEST(ClipFolder, ListsFoldersByNameAndNothingElse) {
  const TemporaryFolder folder;
  for (const char* name : {"b", "a"}) WriteWhole(folder / name);
  WriteFileAtomic(folder / "notes/readme.txt", "no clip");
  WriteVideos(folder / ".c.tmp-1-1", 2);  // being written
  const auto list = [](const fs::path& root) {
    std::vector<std::string> names;
    for (const EpisodeRef& ref : OpenDataSet(root).episodes()) {
      names.push_back(ref.name + " " + ref.path.string());
    }
    return names;
  };
  const std::string a = "a " + (folder / "a").string();
  EXPECT_THAT(list(folder.path()), ElementsAre(a, "b " + (folder / "b").string()));
  EXPECT_THAT(list(folder / "a"), ElementsAre(a));
  EXPECT_THROW(list(folder / "notes"), InputError);
  EXPECT_THROW(list(folder / "none"), InputError);
}

struct ClipDamage {
  std::string name;
  std::function<void(const fs::path&)> break_it;
  std::vector<std::string> words;
};
class DamagedClipFolder : public ::testing::TestWithParam<ClipDamage> {};

TEST_P(DamagedClipFolder, IsNamed) {
  const TemporaryFolder folder;
  WriteWhole(folder.path());
  GetParam().break_it(folder.path());
  ExpectThrowsWith<InputError>([&] { ReadSingle(folder.path()); }, GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(
    Table, DamagedClipFolder,
    ::testing::Values(
        ClipDamage{"no_cameras",
                   [](const fs::path& path) { fs::remove(path / "cameras.json"); },
                   {"cameras.json is missing"}},
        ClipDamage{"one_camera",
                   [](const fs::path& path) {
                     WriteCamerasJson(path / "cameras.json", {TwoCameras()[0]});
                   },
                   {"cameras.json is with 1 view", "2, one for each video"}},
        ClipDamage{"camera_of_another_size",
                   [](const fs::path& path) {
                     std::vector<CameraTrack> cameras = TwoCameras();
                     cameras[1].frames[0].width = 20;
                     WriteCamerasJson(path / "cameras.json", cameras);
                   },
                   {"views[1] is a camera of 20x16 pixels", "16x16, the size of the videos"}},
        ClipDamage{"cameras_of_another_length",
                   [](const fs::path& path) {
                     std::vector<CameraTrack> cameras = TwoCameras();
                     cameras[0].frames.resize(3, cameras[0].frames[0]);
                     WriteCamerasJson(path / "cameras.json", cameras);
                   },
                   {"views[0].world_from_camera is a list of 3 transforms", "each of 4 frames"}},
        ClipDamage{"views_of_two_lengths",
                   [](const fs::path& path) {
                     WriteVideos(path / "short", 3);
                     fs::rename(path / "short/view1.mp4", path / "view1.mp4");
                   },
                   {"view1.mp4 is of 3 frames of 16x16", "4 frames of 16x16 as in view0"}},
        ClipDamage{"two_videos_of_a_view",
                   [](const fs::path& path) { fs::copy(path / "view0.mp4", path / "view0.MOV"); },
                   {"view0.MOV and view0.mp4", "one video of view0"}},
        ClipDamage{"poses_of_another_length",
                   [](const fs::path& path) { WritePosesCsv(path / "poses.csv", Poses(3), 0.2); },
                   {"poses.csv is with 3 rows", "frame 0 alone, or all of 4"}},
        ClipDamage{"truncated_video",
                   [](const fs::path& path) { fs::resize_file(path / "view0.mp4", 300); },
                   {"view0.mp4"}}),
    testing::CaseName());

// Frames past the end repeat the last one, in pictures, cameras and poses alike.
TEST(CutClip, RepeatsTheLastFrame) {
  const TemporaryFolder folder;
  WriteWhole(folder.path());
  Clip clip = ReadSingle(folder.path()).clip;
  clip.views[0].camera.frames.resize(4, clip.views[0].camera.frames[0]);
  for (size_t k = 0; k < 4; ++k) clip.views[0].camera.frames[k].fx += static_cast<double>(k);
  const Clip cut = CutClip(clip, 2, 5);
  ASSERT_EQ(cut.views[0].num_frames, 5);
  ASSERT_EQ(cut.poses.size(), 5u);
  for (size_t k = 0; k < 5; ++k) {
    const size_t source = std::min<size_t>(2 + k, 3);
    EXPECT_EQ(cut.views[1].rgb[k * kSize * kSize * 3], 10 * source + 1);
    EXPECT_EQ(cut.views[0].camera.at(k).fx, clip.views[0].camera.at(source).fx);
    EXPECT_EQ(cut.poses[k].gripper_open, clip.poses[source].gripper_open);
  }
  EXPECT_EQ(cut.views[1].camera.frames.size(), 1u);
}

}  // namespace
}  // namespace aim
