// What is special to DROID's own recordings; the suite of all layouts is layout_test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "aim/base/error.h"
#include "aim/data/data_set.h"
#include "data/make_episode.h"
#include "data/recorded_files.h"
#include "support/matchers.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "support/tolerance.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::DroidRawOptions;
using testing::ExpectThrowsWith;
using testing::Hdf5Array;
using testing::RigidNear;
using testing::TemporaryFolder;

class DroidRawTest : public ::testing::Test {
 protected:
  DroidRawTest() {
    Rng rng(4);
    episode_ = testing::MakeEpisode({.num_frames = 5}, rng);
    Write();
    WriteBeside("intrinsics.json", {{uuid_, testing::DroidIntrinsicsOf(episode_.clip)}});
  }

  void Write(const DroidRawOptions& options = {}) {
    fs::remove_all(folder_ / "droid/RAIL");
    testing::WriteDroidRawEpisode(run_, episode_, options);
  }

  void WriteBeside(const std::string& file, const json& content) {
    WriteFileAtomic(folder_ / "droid" / file, content.dump());
  }

  Episode Read() {
    const DataSet data = OpenDataSet(folder_ / "droid", "droid-raw");
    return data.OpenAsIs(data.episodes().at(0))->Read({});
  }

  void ExpectRefused(const std::vector<std::string>& words) {
    ExpectThrowsWith<InputError>([&] { Read(); }, words);
  }

  // The same arrays, of which one is something else.
  void ChangeArray(const std::string& name, const std::function<void(Hdf5Array&)>& change) {
    std::vector<Hdf5Array> arrays = testing::DroidArrays(episode_, {});
    for (Hdf5Array& array : arrays) {
      if (array.name == name) change(array);
    }
    std::erase_if(arrays, [](const Hdf5Array& array) { return array.values.empty(); });
    testing::WriteHdf5(run_ / "trajectory.h5", arrays);
  }

  TemporaryFolder folder_;
  std::string uuid_ = DroidRawOptions().uuid;
  fs::path run_ = folder_ / "droid/RAIL/success/2023-04-17/Mon_Apr_17_13:26:20_2023";
  Episode episode_;
};

TEST_F(DroidRawTest, CommandsBelongToTheFrameTheyLeadTo) {
  const Episode read = Read();
  ASSERT_EQ(read.clip.poses.size(), 5u);
  for (size_t k = 0; k < 5; ++k) {
    EXPECT_THAT(read.clip.poses[k].world_from_tool,
                RigidNear(episode_.clip.poses[k].world_from_tool, 1e-9, 1e-7));
    EXPECT_NEAR(read.clip.poses[k].gripper_open, episode_.clip.poses[k].gripper_open, 1e-12);
  }
  EXPECT_THAT(read.measured[3].world_from_tool,
              RigidNear(episode_.measured[3].world_from_tool, 1e-9, 1e-7));
  EXPECT_EQ(read.clip.fps, 15);
  EXPECT_NEAR(read.times_s[4], 4.0 / 15, 1e-3);
  EXPECT_EQ(read.clip.views[0].camera.name, "ext1");
  EXPECT_EQ(read.clip.views[1].camera.name, "ext2");
}

// While the operator let go, the robot stood still: such steps go, with their pictures.
TEST_F(DroidRawTest, StepsThatWereSwitchedOffAreLeftOut) {
  Write({.is_enabled = {0, 1, 1, 0, 1}});
  const Episode read = Read();
  ASSERT_EQ(read.clip.poses.size(), 3u);
  const Clip& written = episode_.clip;
  const size_t frame_bytes = written.views[0].rgb.size() / 5;
  const auto picture = [&](const Clip& clip, size_t k) {
    return std::string(clip.views[1].rgb.begin() + static_cast<ptrdiff_t>(k * frame_bytes),
                       clip.views[1].rgb.begin() + static_cast<ptrdiff_t>((k + 1) * frame_bytes));
  };
  EXPECT_EQ(picture(read.clip, 0), picture(written, 1));
  EXPECT_EQ(picture(read.clip, 2), picture(written, 4));
  // Of the first step after a pause, what was measured; of the next what was commanded before it.
  const auto expect_pose = [&](size_t k, const ToolPose& pose) {
    EXPECT_THAT(read.clip.poses[k].world_from_tool, RigidNear(pose.world_from_tool, 1e-9, 1e-7));
  };
  expect_pose(0, episode_.measured[1]);
  expect_pose(1, written.poses[2]);
  expect_pose(2, episode_.measured[4]);
  EXPECT_NEAR(read.times_s[2], 2.0 / 15, 2e-3);  // the clock stood still, too
  Write({.is_enabled = {0, 0, 0, 0, 0}});
  ExpectRefused({"movement_enabled", "false in every row"});
}

TEST_F(DroidRawTest, StereoVideosGiveTheirLeftHalf) {
  const std::string serial = testing::kDroidSerials[0];
  const Clip& clip = episode_.clip;
  std::vector<uint8_t> both;
  for (size_t row = 0; row < 5u * 16; ++row) {
    const auto begin = clip.views[0].rgb.begin() + static_cast<ptrdiff_t>(row * 48);
    both.insert(both.end(), begin, begin + 48);
    both.insert(both.end(), 48, 7);
  }
  fs::remove(run_ / "recordings/MP4" / (serial + ".mp4"));
  WriteVideo(run_ / "recordings/MP4" / (serial + "-stereo.mp4"), {32, 16, 60}, both,
             {.lossless = true});
  EXPECT_TRUE(Read().clip.views[0].rgb == clip.views[0].rgb);
  std::vector<uint8_t> wide(3u * 16 * 48 * 5, 9);
  WriteVideo(run_ / "recordings/MP4" / (serial + ".mp4"), {48, 16, 60}, wide, {.lossless = true});
  ExpectRefused({serial + ".mp4", "side by side", "rename it to " + serial + "-stereo.mp4"});
}

// A copy without the hand's camera, say.
TEST_F(DroidRawTest, ViewsAreThoseWithVideos) {
  fs::remove(run_ / "recordings/MP4" / (std::string(testing::kDroidSerials[0]) + ".mp4"));
  const Episode read = Read();
  ASSERT_EQ(read.clip.views.size(), 1u);
  EXPECT_EQ(read.clip.views[0].camera.name, "ext2");
  EXPECT_NEAR(read.clip.views[0].camera.at(0).fx, episode_.clip.views[1].camera.at(0).fx, 1e-9);
}

// What DROID's authors published later goes before what the robots recorded.
TEST_F(DroidRawTest, BetterCalibrationsGoFirst) {
  const std::string serial = testing::kDroidSerials[0];
  const auto place = [&](double x) { return json{{serial, {x, 2, 3, 0, 0, 0}}, {"metric", 0.9}}; };
  WriteBeside("cam2base_extrinsics.json", {{uuid_, place(5)}});
  EXPECT_NEAR(Read().clip.views[0].camera.at(0).world_from_camera.translation.x(), 5, 1e-12);
  WriteBeside("cam2base_extrinsic_superset.json", {{uuid_, place(6)}});
  const Episode read = Read();
  EXPECT_NEAR(read.clip.views[0].camera.at(0).world_from_camera.translation.x(), 6, 1e-12);
  EXPECT_THAT(read.clip.views[1].camera.at(0).world_from_camera,
              RigidNear(episode_.clip.views[1].camera.at(0).world_from_camera, 1e-9, 1e-7));
  const json rows = {{1, 0, 0, 7}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
  WriteFileAtomic(
      run_ / "camera.json",
      json{{"ext1", {{"intrinsics", {{20, 0, 8}, {0, 21, 8}, {0, 0, 1}}}, {"extrinsics", rows}}}}
          .dump());
  const Camera beside = Read().clip.views[0].camera.at(0);
  EXPECT_EQ(beside.fy, 21);
  EXPECT_EQ(beside.world_from_camera.translation.x(), 7);
}

// Files beside a whole data set are found from one episode of it.
TEST_F(DroidRawTest, OneEpisodeFindsTheFilesAboveIt) {
  WriteBeside("droid_language_annotations.json",
              {{uuid_, {{"language_instruction1", "close the drawer"}}}});
  const DataSet data = OpenDataSet(run_);
  EXPECT_EQ(data.layout().Name(), "droid-raw");
  const Episode read = data.OpenAsIs(data.episodes().at(0))->Read({});
  EXPECT_EQ(read.clip.prompt, "close the drawer");
  EXPECT_EQ(read.clip.views[0].camera.frames.size(), 1u);
}

TEST_F(DroidRawTest, IntrinsicsAreForTheSizeOfTheRecording) {
  Rng rng(5);
  Clip& clip = episode_.clip;
  clip.width = 32;
  clip.height = 18;
  for (ClipView& view : clip.views) view.rgb.assign(5u * 32 * 18 * 3, 50);
  Write();
  const json pinhole = {730, 640, 720, 360};  // fx cx fy cy of 1280 x 720
  WriteBeside(
      "intrinsics.json",
      {{uuid_, {{testing::kDroidSerials[0], pinhole}, {testing::kDroidSerials[1], pinhole}}}});
  const Camera camera = Read().clip.views[0].camera.at(0);
  EXPECT_NEAR(camera.fx, 730.0 / 40, 1e-9);
  EXPECT_NEAR(camera.fy, 720.0 / 40, 1e-9);
  EXPECT_NEAR(camera.cx, 16, 1e-9);
  EXPECT_NEAR(camera.cy, 9, 1e-9);
  WriteBeside("intrinsics.json", {{uuid_, {{testing::kDroidSerials[0], {730, 640, 720}}}}});
  ExpectRefused({"intrinsics.json", uuid_, "4 numbers"});
}

TEST_F(DroidRawTest, WithoutCalibrationItIsForVideoOnly) {
  fs::remove(folder_ / "droid/intrinsics.json");
  EXPECT_TRUE(Read().clip.views[0].camera.frames.empty());
  WriteBeside("intrinsics.json", {{uuid_, testing::DroidIntrinsicsOf(episode_.clip)}});
  Write({.has_extrinsics = false});
  EXPECT_TRUE(Read().clip.views[0].camera.frames.empty());
  // A camera in the middle of the robot was never calibrated.
  ChangeArray("observation/camera_extrinsics/" + std::string(testing::kDroidSerials[0]) + "_left",
              [](Hdf5Array& array) { std::ranges::fill(array.values, 0); });
  const Episode read = Read();
  EXPECT_TRUE(read.clip.views[0].camera.frames.empty());
  EXPECT_EQ(read.clip.views[1].camera.frames.size(), 1u);
  EXPECT_EQ(read.clip.poses.size(), 5u);
}

// The hand's camera moves with the arm, and only the recording knows where it is.
TEST_F(DroidRawTest, TheHandsCameraMoves) {
  Rng rng(6);
  episode_ = testing::MakeEpisode({.num_frames = 5, .num_views = 3}, rng);
  CameraTrack& wrist = episode_.clip.views[2].camera;
  for (int k = 1; k < 5; ++k) {
    wrist.frames.push_back(wrist.frames[0]);
    wrist.frames.back().world_from_camera.translation.x() += 0.1 * k;
  }
  Write();
  WriteBeside("intrinsics.json", {{uuid_, testing::DroidIntrinsicsOf(episode_.clip)}});
  WriteBeside("cam2base_extrinsics.json",
              {{uuid_, {{testing::kDroidSerials[2], {9, 9, 9, 0, 0, 0}}}}});
  const Episode read = Read();
  ASSERT_EQ(read.clip.views[2].camera.frames.size(), 5u);
  EXPECT_EQ(read.clip.views[2].camera.name, "wrist");
  EXPECT_THAT(read.clip.views[2].camera.at(4).world_from_camera,
              RigidNear(wrist.at(4).world_from_camera, 1e-9, 1e-7));
}

TEST_F(DroidRawTest, WhatDidNotSucceedIsReadWhenItIsAskedFor) {
  const fs::path failed = folder_ / "droid/RAIL/failure/2023-04-17/Mon_Apr_17_13:30:00_2023";
  testing::WriteDroidRawEpisode(failed, episode_);
  EXPECT_EQ(OpenDataSet(folder_ / "droid").episodes().size(), 1u);
  EXPECT_EQ(OpenDataSet(folder_ / "droid").episodes()[0].name,
            "RAIL/success/2023-04-17/Mon_Apr_17_13:26:20_2023");
  EXPECT_EQ(OpenDataSet(folder_ / "droid/RAIL/failure").episodes().size(), 1u);
}

TEST_F(DroidRawTest, WhatIsWrongIsNamed) {
  ChangeArray("action/gripper_position", [](Hdf5Array& array) { array.values.pop_back(); });
  ExpectRefused({"trajectory.h5: action/gripper_position", "4 rows", "5"});
  ChangeArray("action/gripper_position", [](Hdf5Array& array) { array.values[2] = 3; });
  ExpectRefused({"action/cartesian_position row 2", "-2"});
  ChangeArray("action/cartesian_position", [](Hdf5Array& array) { array.values.clear(); });
  ExpectRefused({"action/cartesian_position", "missing"});
  ChangeArray("observation/timestamp/control/step_start",
              [](Hdf5Array& array) { array.values[3] = array.values[2]; });
  ExpectRefused({"step_start", "not later in row 3"});
  Write();
  WriteFileAtomic(run_ / "metadata_more.json", "{}");
  ExpectRefused({"Mon_Apr_17_13:26:20_2023", "2 files metadata_<episode>.json"});
  fs::remove(run_ / "metadata_more.json");
  WriteFileAtomic(run_ / ("metadata_" + uuid_ + ".json"),
                  json{{"uuid", uuid_}, {"ext1_cam_serial", "../../other"}}.dump());
  ExpectRefused({"ext1_cam_serial", "serial number"});
}

TEST_F(DroidRawTest, FramesThatBelongToNoStepAreRefused) {
  const Clip& clip = episode_.clip;
  const auto rewrite = [&](int num_frames) {
    for (size_t view = 0; view < 2; ++view) {
      std::vector<uint8_t> rgb = clip.views[view].rgb;
      rgb.resize(static_cast<size_t>(num_frames) * 16 * 16 * 3);
      WriteVideo(run_ / "recordings/MP4" / (std::string(testing::kDroidSerials[view]) + ".mp4"),
                 {16, 16, 60}, rgb, {.lossless = true});
    }
  };
  rewrite(4);
  EXPECT_EQ(Read().clip.poses.size(), 4u);
  rewrite(6);
  EXPECT_EQ(Read().clip.poses.size(), 5u);
  rewrite(3);
  ExpectRefused({"22008760.mp4", "3 frames", "5 within one"});
}

// The stamp tells a calibration that came later.
TEST_F(DroidRawTest, StampsChangeWithWhatIsRead) {
  const auto stamp = [&] {
    const DataSet data = OpenDataSet(folder_ / "droid");
    return data.Stamp(data.episodes().at(0));
  };
  const std::string before = stamp();
  WriteFileAtomic(run_ / "recordings/SVO/1.svo", "large");
  EXPECT_EQ(stamp(), before);
  WriteBeside("cam2base_extrinsics.json", json::object());
  EXPECT_NE(stamp(), before);
}

}  // namespace
}  // namespace aim
