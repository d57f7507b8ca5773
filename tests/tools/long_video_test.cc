// Memory of a tool does not grow with the length of the videos that it is given.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/geometry/camera.h"
#include "aim/media/video.h"
#include "support/run_command.h"
#include "support/scene.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr int kWidth = 1280;
constexpr int kHeight = 720;
constexpr int kNumFrames = 600;  // of both views 3.3 GB, were they all held
constexpr int64_t kLimitBytes = 2'000'000'000;

void WriteLongVideo(const fs::path& path) {
  VideoWriter writer(path, {kWidth, kHeight, 25.0 / 3.0}, {.crf = 35});
  Image frame(kWidth, kHeight);
  for (int k = 0; k < kNumFrames; ++k) {
    frame.rgb[static_cast<size_t>(3 * k)] = 255;
    writer.Append(frame);
  }
  writer.Finish();
}

TEST(LongVideoTest, LabellingStaysBelowTwoGigabytes) {
  const testing::TemporaryFolder folder;
  Rng rng(1);
  std::vector<CameraTrack> cameras;
  for (const Camera& camera : testing::MakeCameraRig({.num_views = 2, .size_px = kHeight}, rng)) {
    Camera wide = camera;
    wide.width = kWidth;
    wide.cx = kWidth / 2.0;
    cameras.push_back({.name = "view" + std::to_string(cameras.size()), .frames = {wide}});
  }
  WriteLongVideo(folder / "data/long/view0.mp4");
  fs::copy(folder / "data/long/view0.mp4", folder / "data/long/view1.mp4");
  WriteCamerasJson(folder / "data/long/cameras.json", cameras);
  const fs::path out = folder / "labels";
  const testing::CommandResult result = testing::RunCommand(
      {testing::Binary("aim-label"), "--model", (testing::SourceDir() / "assets/tiny").string(),
       "--data", (folder / "data").string(), "--overlap", "1", "--out", out.string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const nlohmann::json record = nlohmann::json::parse(ReadFile(out / "run.json"));
  EXPECT_LT(record["peak_memory_bytes"].get<int64_t>(), kLimitBytes);
  EXPECT_EQ(nlohmann::json::parse(ReadFile(out / "report.json"))["frames"], kNumFrames);
}

}  // namespace
}  // namespace aim
