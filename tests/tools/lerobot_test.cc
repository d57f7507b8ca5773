// python/lerobot_policy_aim, LeRobot's way to aim-serve.
#include <gmock/gmock.h>

#include "support/python.h"
#include "tools/served_model.h"

namespace aim::testing {
namespace {

// Its own commands find the package of python/, and tell the robot what our own client gets.
TEST(LerobotPolicyTest, LerobotItselfDrivesTheShippedModel) {
  const std::string python =
      PythonWith("lerobot.scripts.lerobot_eval, msgpack, websockets", ".venv-lerobot");
  if (python.empty()) GTEST_SKIP() << "lerobot is not there; scripts/setup --lerobot";
  ServedModel served;
  const CommandResult check = RunCommand(
      {python, SourceDir() / "tests/tools/lerobot_check.py", served.port(), SourceDir().string()});
  EXPECT_THAT(check.out, ::testing::EndsWith("ok\n")) << check.err;
  EXPECT_EQ(served.Terminate().exit_code, 128 + SIGTERM);
}

TEST(LerobotPolicyTest, PosesOfTheLerobotPackageGoThereAndBack) {
  const std::string python = PythonWith("numpy", ".venv-interop");
  if (python.empty()) GTEST_SKIP() << "numpy is not there; scripts/setup --interop";
  const CommandResult check = RunCommand(
      {python, SourceDir() / "tests/tools/lerobot_poses_check.py", SourceDir().string()});
  EXPECT_EQ(check.out, "ok\n") << check.err;
}

}  // namespace
}  // namespace aim::testing
