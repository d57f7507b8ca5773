// No false alarm on demonstrations of the embedded simulator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "aim/calibration/doctor.h"
#include "aim/env/tabletop.h"
#include "calibration/drawn_clip.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support

DrawnClip AsDrawn(const Clip& clip) {
  DrawnClip drawn{
      .size_px = clip.width, .cameras = CamerasOf(clip), .poses = clip.poses, .views = {}};
  for (const ClipView& view : clip.views) drawn.views.push_back(view.rgb);
  return drawn;
}

TEST(DoctorSimulatorTest, DemonstrationsAreNeverAccused) {
  const EnvOptions env_options;
  const std::unique_ptr<Env> env = MakeTabletop(env_options);
  for (const std::string& task : env->Tasks()) {
    for (const uint64_t seed : {3, 4}) {
      const Demonstration demo = env->Demo(task, 0, seed);
      TemporaryFolder folder;
      WriteDrawnClip(folder.path(), AsDrawn(demo.clip), env_options.frame_period_s);
      DoctorOptions options;
      options.video = {(folder / "view0.mp4").string(), (folder / "view1.mp4").string()};
      options.poses = (folder / "poses.csv").string();
      options.cameras = (folder / "cameras.json").string();
      RunContext run({.out = folder / "out"});
      const DoctorReport report = RunDoctor(options, run);
      // Nor waved through: a tool that always points straight down does not tell both orders.
      const bool is_open = report.sentence.find("would fit as well") != std::string::npos;
      EXPECT_EQ(report.usable, !is_open) << task << " " << seed << ": " << report.sentence;
      EXPECT_THAT(ToWord(report.verdict), ::testing::AnyOf("ok", "undecided"))
          << task << " " << seed << ": " << report.sentence;
    }
  }
}

}  // namespace
}  // namespace aim
