// The doctor on stored RLBench episodes, from their pictures alone: 128 x 128, front, overhead and
// both shoulder cameras (the right one sees the tool for an eighth of the time).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "aim/calibration/doctor.h"
#include "aim/codec/pose_csv.h"
#include "support/rlbench_episode.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support

constexpr double kRlbenchPeriodS = 0.05;

class DoctorRlbenchTest : public ::testing::Test {
 protected:
  void Extract(const std::string& episode, const std::vector<std::string>& cameras) {
    const std::string why_not = WhyNoRlbenchEpisode(episode);
    if (!why_not.empty()) GTEST_SKIP() << why_not;
    std::string names;
    options_ = {};
    for (const std::string& camera : cameras) {
      names += (names.empty() ? "" : ",") + camera;
      options_.video.push_back((RlbenchEpisode(episode) / (camera + "_rgb")).string());
    }
    ASSERT_TRUE(ExtractRlbenchEpisode(episode, names, 128, folder_.path()));
    options_.poses = (folder_ / "poses.csv").string();
    options_.cameras = (folder_ / "cameras.json").string();
  }

  void ChangeCameras(const std::function<void(std::vector<CameraTrack>&)>& change) {
    std::vector<CameraTrack> tracks = ReadCamerasJson(options_.cameras);
    change(tracks);
    WriteCamerasJson(options_.cameras, tracks);
  }

  void ChangePoses(const std::function<void(std::vector<ToolPose>&)>& change) {
    std::vector<ToolPose> poses = ToolPoses(ReadPosesCsv(options_.poses));
    change(poses);
    WritePosesCsv(options_.poses, poses, kRlbenchPeriodS);
  }

  DoctorReport Examine() {
    RunContext run({.out = folder_ / "out", .overwrite = true});
    return RunDoctor(options_, run);
  }

  TemporaryFolder folder_;
  DoctorOptions options_;
};

TEST_F(DoctorRlbenchTest, EpisodesAsTheyComeAreOk) {
  for (const char* episode : {"episode0", "episode1"}) {
    Extract(episode, {"front", "overhead", "left_shoulder"});
    if (IsSkipped() || HasFatalFailure()) return;
    const DoctorReport report = Examine();
    EXPECT_EQ(ToWord(report.verdict), "ok") << episode << ": " << report.sentence;
    EXPECT_EQ(report.lag_frames, 0) << episode;
  }
}

// docs/reference/formats.md 1.4 finds the same one with masks.
TEST_F(DoctorRlbenchTest, EachViewAloneTellsTheReadingOfSixteen) {
  for (const char* camera : {"front", "overhead", "left_shoulder", "right_shoulder"}) {
    for (const CameraReading& reading :
         {CameraReading(),
          CameraReading{.inverted = true, .mirrored_x = true, .mirrored_y = true}}) {
      Extract("episode0", {camera});
      if (IsSkipped() || HasFatalFailure()) return;
      ChangeCameras([&](std::vector<CameraTrack>& tracks) {
        Camera& given = tracks[0].frames[0];
        if (reading.mirrored_x) given = ReadAs({.mirrored_x = true, .mirrored_y = true}, given);
        if (reading.inverted) given = ReadAs({.inverted = true}, given);
      });
      EXPECT_EQ(ToJson(Examine())["views"][0]["best_reading"], ToWords(reading)) << camera;
    }
  }
}

TEST_F(DoctorRlbenchTest, FaultsOfCamerasAreFound) {
  struct Case {
    const char* verdict;
    std::function<void(std::vector<CameraTrack>&)> injure;
  };
  const auto each = [](void (*change)(Camera&)) {
    return [change](std::vector<CameraTrack>& tracks) {
      for (CameraTrack& track : tracks) change(track.frames[0]);
    };
  };
  const std::vector<Case> cases = {
      {"inverted_extrinsics",
       each([](Camera& c) { c.world_from_camera = Inverse(c.world_from_camera); })},
      {"negative_focal", each([](Camera& c) {
         c.fx = -c.fx;
         c.fy = -c.fy;
       })},
      {"principal_point", each([](Camera& c) { c.cx += 0.06 * c.width; })},
      {"principal_point", each([](Camera& c) { c.cx -= 0.06 * c.width; })},
      {"principal_point", each([](Camera& c) { c.cy += 0.06 * c.width; })},
      {"principal_point", each([](Camera& c) { c.cy -= 0.06 * c.width; })},
      {"other_resolution", each([](Camera& c) { c = FromResolution(c, 0.25); })},
      {"swapped_views", [](std::vector<CameraTrack>& t) { std::swap(t[0].frames, t[1].frames); }},
      {"millimetres", each([](Camera& c) { c.world_from_camera.translation *= 1000; })}};
  for (const Case& fault : cases) {
    Extract("episode0", {"front", "overhead"});
    if (IsSkipped() || HasFatalFailure()) return;
    ChangeCameras(fault.injure);
    const DoctorReport report = Examine();
    EXPECT_EQ(ToWord(report.verdict), fault.verdict) << report.sentence;
  }
}

TEST_F(DoctorRlbenchTest, FaultsOfPosesAreFound) {
  struct Case {
    const char* verdict;
    std::function<void(ToolPose&)> injure;
  };
  const std::vector<Case> cases = {
      {"quaternion_order",
       [](ToolPose& pose) {
         const Eigen::Quaterniond q = pose.world_from_tool.rotation;
         pose.world_from_tool.rotation = Eigen::Quaterniond(q.z(), q.w(), q.x(), q.y());
       }},
      {"millimetres", [](ToolPose& pose) { pose.world_from_tool.translation *= 1000; }},
      {"inverted_gripper", [](ToolPose& pose) { pose.gripper_open = 1 - pose.gripper_open; }},
      {"tool_frame", [](ToolPose& pose) {
         pose.world_from_tool.rotation *= Eigen::Quaterniond(std::sqrt(0.5), 0, 0, std::sqrt(0.5));
       }}};
  for (const Case& fault : cases) {
    Extract("episode1", {"front", "overhead"});
    if (IsSkipped() || HasFatalFailure()) return;
    ChangePoses([&](std::vector<ToolPose>& poses) {
      for (ToolPose& pose : poses) fault.injure(pose);
    });
    const DoctorReport report = Examine();
    EXPECT_EQ(ToWord(report.verdict), fault.verdict) << report.sentence;
  }
}

TEST_F(DoctorRlbenchTest, PosesThreeFramesLateAreTimed) {
  Extract("episode0", {"front", "overhead"});
  if (IsSkipped() || HasFatalFailure()) return;
  ChangePoses([](std::vector<ToolPose>& poses) {
    poses.insert(poses.begin(), 3, poses.front());
    poses.resize(poses.size() - 3);
  });
  const DoctorReport report = Examine();
  EXPECT_EQ(ToWord(report.verdict), "time_offset") << report.sentence;
  EXPECT_EQ(report.lag_frames, 3);
}

}  // namespace
}  // namespace aim
