#include "aim/base/run_settings.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

TEST(RunSettingsTest, TheSameSettingsGoOn) {
  const testing::TemporaryFolder folder;
  const auto file = folder / "run" / "settings.json";
  KeepSettings(file, {{"steps", 4}, {"model", "tiny"}});
  const std::string written = ReadFile(file);
  KeepSettings(file, {{"steps", 4}, {"model", "tiny"}});
  EXPECT_EQ(ReadFile(file), written);
}

TEST(RunSettingsTest, AnotherValueIsNamedWithTheOneBefore) {
  const testing::TemporaryFolder folder;
  const auto file = folder / "settings.json";
  KeepSettings(file, {{"steps", 4}, {"model", "tiny"}});
  testing::ExpectThrowsWith<ConfigError>(
      [&] {
        KeepSettings(file, {{"steps", 5}, {"model", "tiny"}});
      },
      {"steps is 5", "4, as in the run to go on with", "--overwrite"});
  testing::ExpectThrowsWith<ConfigError>(
      [&] {
        KeepSettings(file, {{"guidance", 2}});
      },
      {"guidance is 2", "nothing, as in the run"});
  testing::ExpectThrowsWith<ConfigError>(
      [&] {
        KeepSettings(file, {{"steps", 4}});
      },
      {"model is nothing", "\"tiny\", as in the run"});
}

TEST(RunSettingsTest, ADamagedFileIsNotReplaced) {
  const testing::TemporaryFolder folder;
  const auto file = folder / "settings.json";
  WriteFileAtomic(file, "{\"steps\": ");
  testing::ExpectThrowsWith<FormatError>(
      [&] {
        KeepSettings(file, {{"steps", 4}});
      },
      {"settings.json is damaged"});
  EXPECT_EQ(ReadFile(file), "{\"steps\": ");
}

}  // namespace
}  // namespace aim
