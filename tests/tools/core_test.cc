// A core build with the simulator, from nothing to a report: no OpenCV, no libav.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "aim/base/atomic_file.h"
#include "support/run_command.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"

namespace aim::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(CoreTest, DemonstrationsTrainingAndRollout) {
  const TemporaryFolder folder;
  const fs::path source = testing::SourceDir();
  const std::string tiny = (source / "assets" / "tiny").string();
  const std::string cache = (folder / "cache").string();

  const CommandResult demos =
      RunCommand({Binary("aim-data"), "demos", "--cache", "--model", tiny, "--task", "reach_target",
                  "--episodes", "3", "--per-episode", "2", "--out", cache});
  ASSERT_EQ(demos.exit_code, 0) << demos.err;
  EXPECT_EQ(nlohmann::json::parse(demos.out)["cache"]["clips"], 6);

  const CommandResult train = RunCommand(
      {Binary("aim-train"), "--init", tiny, "--set", "clips.dir=" + cache, "--set", "train.steps=1",
       "--set", "train.batch_size=2", "--out", (folder / "run").string()});
  ASSERT_EQ(train.exit_code, 0) << train.err;
  EXPECT_EQ(nlohmann::json::parse(train.out)["finished"], true);
  EXPECT_THAT(ReadFile(folder / "run" / "metrics.jsonl"), HasSubstr("\"validation\""));

  const fs::path out = folder / "rollout";
  const CommandResult rollout =
      RunCommand({Binary("aim-rollout"), "--model", (folder / "run" / "bundle").string(), "--task",
                  "reach_target", "--episodes", "1", "--no-references", "--out", out.string()});
  ASSERT_EQ(rollout.exit_code, 0) << rollout.err;
  const nlohmann::json report = nlohmann::json::parse(ReadFile(out / "report.json"));
  EXPECT_THAT(report["run"]["left_out"].get<std::string>(), HasSubstr("videos"));
  ASSERT_EQ(report["filmstrips"].size(), 1U);
  const std::string strip = report["filmstrips"][0]["file"];
  EXPECT_TRUE(strip.ends_with(".png")) << strip;
  EXPECT_EQ(ReadFile(out / strip).substr(1, 3), "PNG");
  EXPECT_TRUE(report["filmstrips"][0]["videos"].empty());
  const std::string page = ReadFile(out / "report.html");
  EXPECT_THAT(page, HasSubstr("data:image/png;base64,"));
  EXPECT_THAT(page, HasSubstr("no video encoder"));
}

}  // namespace
}  // namespace aim::testing
