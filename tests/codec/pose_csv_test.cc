#include "aim/codec/pose_csv.h"

#include <gtest/gtest.h>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "codec/rlbench_scene.h"
#include "support/matchers.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support

constexpr const char* kHeader = "frame,time_s,x,y,z,qx,qy,qz,qw,gripper_open\n";
constexpr const char* kDecodedHeader =
    "frame,time_s,x,y,z,qx,qy,qz,qw,gripper_open,confidence,residual_px,visible\n";

TEST(PoseCsvTest, ReadsWhatItWrote) {
  TemporaryFolder folder;
  Rng rng(1);
  std::vector<ToolPose> poses;
  for (int i = 0; i < 20; ++i) poses.push_back(AnyToolPose(rng));
  WritePosesCsv(folder / "poses.csv", poses, 0.2);
  const std::vector<PoseRow> rows = ReadPosesCsv(folder / "poses.csv");
  ASSERT_EQ(rows.size(), poses.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].frame, static_cast<int64_t>(i));
    EXPECT_DOUBLE_EQ(rows[i].time_s, 0.2 * static_cast<double>(i));
    EXPECT_THAT(rows[i].decoded.pose.world_from_tool,
                RigidNear(poses[i].world_from_tool, 1e-12, 1e-7));
    EXPECT_EQ(rows[i].decoded.pose.gripper_open, poses[i].gripper_open);
    EXPECT_GE(rows[i].decoded.pose.world_from_tool.rotation.w(), 0.0);
    EXPECT_TRUE(rows[i].decoded.decodable);
  }
}

TEST(PoseCsvTest, KeepsConfidenceResidualAndVisibility) {
  TemporaryFolder folder;
  Plan plan;
  plan.period_s = 0.1;
  plan.frames.push_back({GoldenPose1(), true, false, 0.75, 0.5, {1, 0, 1, 0, 1, 1}});
  plan.frames.push_back({{}, false, false, 0, 0, {0, 0, 0, 0, 0, 0}});
  WritePosesCsv(folder / "poses.csv", plan);
  EXPECT_EQ(ReadFile(folder / "poses.csv").substr(0, std::string(kDecodedHeader).size()),
            kDecodedHeader);
  const std::vector<PoseRow> rows = ReadPosesCsv(folder / "poses.csv");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_TRUE(rows[0].decoded.decodable);
  EXPECT_EQ(rows[0].decoded.confidence, 0.75);
  EXPECT_EQ(rows[0].decoded.residual_px, 0.5);
  EXPECT_EQ(rows[0].decoded.visible, plan.frames[0].visible);
  EXPECT_FALSE(rows[1].decoded.decodable);
}

// An independent writer's file: signs, exponents, Windows line ends, no newline at the end.
TEST(PoseCsvTest, ReadsForeignSpelling) {
  const auto rows = ParsePosesCsv(
      "frame,time_s,x,y,z,qx,qy,qz,qw,gripper_open\r\n0,0,1e-1,-.5,2,0,0,0,-1,1\r\n7,1.5,0,0,0,0,0."
      "7071,0,0.7071,0.5",
      "p.csv");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1].frame, 7);
  EXPECT_EQ(rows[0].decoded.pose.world_from_tool.rotation.w(), 1.0);
  EXPECT_NEAR(rows[1].decoded.pose.world_from_tool.rotation.norm(), 1.0, 1e-12);
}

struct BadFile {
  std::string name, text;
  std::vector<std::string> words;
};

// What spreadsheets put before the first column.
TEST(PoseCsvTest, ByteOrderMarksArePassedOver) {
  const TemporaryFolder folder;
  WritePosesCsv(folder / "a.csv", std::vector<ToolPose>(2), 0.1);
  WriteFileAtomic(folder / "b.csv", "\xEF\xBB\xBF" + ReadFile(folder / "a.csv"));
  EXPECT_EQ(ReadPosesCsv(folder / "b.csv").size(), 2u);
}

TEST(PoseCsvTest, NamesWhatIsWrong) {
  const std::string header = kHeader, decoded = kDecodedHeader;
  const std::vector<BadFile> cases{
      {"empty", "", {"p.csv", "header", "frame,time_s"}},
      {"no rows", header, {"p.csv", "without rows"}},
      {"other columns", "x,y,z\n", {"header", "x,y,z"}},
      {"too few fields", header + "0,0,0,0\n", {"line 2", "4 fields", "10"}},
      {"not a number", header + "0,0,a,0,0,0,0,0,1,1\n", {"line 2", ", x", "\"a\"", "finite"}},
      {"NaN", header + "0,0,0,nan,0,0,0,0,1,1\n", {"line 2", ", y", "nan"}},
      {"infinite", header + "0,inf,0,0,0,0,0,0,1,1\n", {"time_s", "inf"}},
      {"trailing text", header + "0,0,0,0,1m,0,0,0,1,1\n", {", z", "1m"}},
      {"not a unit quaternion",
       header + "0,0,0,0,0,0,0,0,1.01,1\n",
       {"line 2", "qx qy qz qw", "1.01", "0.001"}},
      {"openness", header + "0,0,0,0,0,0,0,0,1,2\n", {"gripper_open", "2", "[0, 1]"}},
      {"frame is not whole", header + "0.5,0,0,0,0,0,0,0,1,1\n", {"frame", "0.5"}},
      {"frames repeat",
       header + "0,0,0,0,0,0,0,0,1,1\n0,0,0,0,0,0,0,0,1,1\n",
       {"line 3", "frame", "more than"}},
      {"times fall",
       header + "0,1,0,0,0,0,0,0,1,1\n1,0.5,0,0,0,0,0,0,1,1\n",
       {"line 3", "time_s", "0.5", "not less than"}},
      {"confidence", decoded + "0,0,0,0,0,0,0,0,1,1,1.5,0,111111\n", {"confidence", "1.5"}},
      {"visible", decoded + "0,0,0,0,0,0,0,0,1,1,1,0,11x\n", {"visible", "11x"}},
      {"bytes", std::string("\x00\xff\x01", 3), {"header", "???"}},
  };
  for (const BadFile& test : cases) {
    SCOPED_TRACE(test.name);
    ExpectThrowsWith<InputError>([&] { ParsePosesCsv(test.text, "p.csv"); }, test.words);
  }
  ExpectThrowsWith<InputError>([] { ReadPosesCsv("no/such/poses.csv"); }, {"poses.csv"});
}

// Cut anywhere, a file is refused or read as its whole rows say; nothing else happens.
TEST(PoseCsvTest, SurvivesTruncationAtEveryByte) {
  const std::string text =
      std::string(kDecodedHeader) +
      "0,0,0.25,-0.5,1,0,0,0,1,1,0.5,0.25,111111\n1,0.2,0,0,0,0,0,0,1,0,0,0,000000\n";
  for (size_t size = 0; size <= text.size(); ++size) {
    try {
      EXPECT_LE(ParsePosesCsv(text.substr(0, size), "p.csv").size(), 2u);
    } catch (const InputError&) {
    }
  }
}

}  // namespace
}  // namespace aim
