// scripts/check_release, with the shipped model in the release's place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "aim/base/atomic_file.h"
#include "support/run_command.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"

namespace aim::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CheckReleaseTest : public ::testing::Test {
 protected:
  CheckReleaseTest() {
    const CommandResult demos =
        RunCommand({Binary("aim-data"), "demos", "--task", "push_button", "--episodes", "1",
                    "--first-seed", "3000000", "--out", folder_ / "demos"});
    EXPECT_EQ(demos.exit_code, 0) << demos.err;
  }

  CommandResult Check(const fs::path& bundle) {
    return RunCommand({SourceDir() / "scripts/check_release", "--bundle", bundle, "--data",
                       folder_ / "demos", "--episodes", "1", "--bin",
                       fs::path(Binary("aim-data")).parent_path(), "--out", folder_ / "out"});
  }

  const TemporaryFolder folder_;
  const fs::path tiny_ = SourceDir() / "assets/tiny";
};

TEST_F(CheckReleaseTest, AModelThatIsLoadedRightlyPasses) {
  const CommandResult result = Check(tiny_);
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("looks like the release\n"));
  EXPECT_THAT(result.out, HasSubstr("v2a actions          ok"));
}

// The axes of its cameras as another convention has them.
TEST_F(CheckReleaseTest, AModelThatIsLoadedWronglyIsNamed) {
  fs::copy(tiny_, folder_ / "bad", fs::copy_options::recursive);
  std::string toml = ReadFile(folder_ / "bad/model.toml");
  const std::string axes = "axes = \"opencv\"";
  ASSERT_THAT(toml, HasSubstr(axes));
  toml.replace(toml.find(axes), axes.size(), "axes = \"rlbench\"");
  WriteFileAtomic(folder_ / "bad/model.toml", toml);
  const CommandResult result = Check(folder_ / "bad");
  EXPECT_EQ(result.exit_code, 1) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("autoencoder          ok"));
  EXPECT_THAT(result.out, HasSubstr("i2a actions          WRONG"));
  EXPECT_THAT(result.out, HasSubstr("does NOT look like the release: "));
}

TEST_F(CheckReleaseTest, WhatCannotBeTriedIsTwo) {
  EXPECT_EQ(Check(folder_ / "nowhere").exit_code, 2);
}

}  // namespace
}  // namespace aim::testing
