// The doctor on data sets: cameras that their own readers refuse, or store in another convention.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/calibration/doctor.h"
#include "aim/data/convert.h"
#include "calibration/drawn_clip.h"
#include "support/matchers.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support
namespace fs = std::filesystem;

constexpr double kDrawnPeriodS = 0.1;

const DrawnClip& DrawnOnce() {
  static const DrawnClip kClip = DrawClip({});
  return kClip;
}

DoctorReport ExamineData(const DoctorOptions& options, const fs::path& out) {
  RunContext run({.out = out});
  return RunDoctor(options, run);
}

void ChangeEach(DrawnClip& clip, const std::function<void(Camera&)>& change) {
  for (CameraTrack& track : clip.cameras) {
    for (Camera& camera : track.frames) change(camera);
  }
}

// What a data set's own reader refuses is a verdict here.
TEST(DoctorDataTest, DataSetsWithCamerasOfAnotherConventionAreRead) {
  TemporaryFolder folder;
  DrawnClip clip = DrawnOnce();
  ChangeEach(clip, [](Camera& c) {
    c.fx = -c.fx;
    c.fy = -c.fy;
  });
  fs::create_directories(folder / "clips/first");
  WriteDrawnClip(folder / "clips/first", clip, kDrawnPeriodS);
  DoctorOptions options;
  options.data.path = (folder / "clips").string();
  options.fix = true;
  const DoctorReport report = ExamineData(options, folder / "out");
  EXPECT_EQ(report.verdict, Verdict::kNegativeFocal) << report.sentence;
  const std::vector<CameraTrack> mended = ReadCamerasJson(folder / "out/cameras.json");
  EXPECT_GT(mended[0].at(0).fx, 0);

  clip = DrawnOnce();  // and a declared size that is not the videos'
  ChangeEach(clip, [](Camera& c) {
    c = FromResolution(c, 0.25);
    c.width *= 4;
    c.height *= 4;
  });
  WriteCamerasJson(folder / "clips/first/cameras.json", clip.cameras);
  EXPECT_EQ(ExamineData(options, folder / "out2").verdict, Verdict::kOtherResolution);

  options.data.views = {"cam1"};
  clip = DrawnOnce();
  WriteCamerasJson(folder / "clips/first/cameras.json", clip.cameras);
  EXPECT_THAT(ExamineData(options, folder / "out3").view_names, ::testing::ElementsAre("cam1"));
}

// Released ActionImages data have RLBench's axes: what is inverted is inverted in these.
TEST(DoctorDataTest, RlbenchCamerasThatAreInvertedAreRead) {
  TemporaryFolder folder;
  fs::create_directories(folder / "clips/first");
  WriteDrawnClip(folder / "clips/first", DrawnOnce(), kDrawnPeriodS);
  RunContext convert({.out = folder / "data"});
  RunConvert({.source = (folder / "clips").string(),
              .destination = (folder / "data").string(),
              .to = "action-images"},
             convert);
  DoctorOptions options;
  options.data.path = (folder / "data").string();
  EXPECT_EQ(ExamineData(options, folder / "out").verdict, Verdict::kOk);
  int num_files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder / "data")) {
    if (entry.path().filename() != "camera_params.json") continue;
    auto frames = nlohmann::json::parse(ReadFile(entry.path()));
    for (auto& camera : frames) {
      Eigen::Matrix4d stored;
      for (int i = 0; i < 16; ++i) stored(i / 4, i % 4) = camera["extrinsics"][i / 4][i % 4];
      stored = stored.inverse().eval();
      for (int i = 0; i < 16; ++i) camera["extrinsics"][i / 4][i % 4] = stored(i / 4, i % 4);
    }
    WriteFileAtomic(entry.path(), frames.dump());
    ++num_files;
  }
  EXPECT_EQ(num_files, 2);
  options.fix = true;
  const DoctorReport report = ExamineData(options, folder / "out2");
  EXPECT_EQ(report.verdict, Verdict::kInvertedExtrinsics) << report.sentence;
  const std::vector<CameraTrack> mended = ReadCamerasJson(folder / "out2/cameras.json");
  EXPECT_THAT(mended[0].at(0).world_from_camera,
              RigidNear(DrawnOnce().cameras[0].at(0).world_from_camera, 1e-6, 1e-6));
}

}  // namespace
}  // namespace aim
