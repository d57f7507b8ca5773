#include "aim/base/log.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "aim/base/error.h"
#include "support/throws.h"

namespace aim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(LogTest, GoesToStderrFromTheLevelOn) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  SetLogLevel(LogLevel::kWarning);
  LogDebug("quiet one");
  LogInfo("quiet two");
  LogWarning("braces {} and % stay");
  LogError("loud");
  SetLogLevel(LogLevel::kOff);
  LogError("quiet three");
  SetLogLevel(LogLevel::kInfo);
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_THAT(text, Not(HasSubstr("quiet")));
  EXPECT_THAT(text, HasSubstr("braces {} and % stay"));
  EXPECT_THAT(text, HasSubstr("loud"));
}

TEST(LogTest, AProgramsSinkTakesThePlaceOfStderr) {
  std::vector<std::string> messages;
  SetLogSink([&](LogLevel level, const std::string& message) {
    messages.push_back(ToWord(level) + ": " + message);
  });
  ::testing::internal::CaptureStderr();
  LogDebug("dropped, as the level says");
  LogWarning("seen");
  SetLogSink({});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_THAT(messages, ::testing::ElementsAre("warning: seen"));
  ::testing::internal::CaptureStderr();
  LogWarning("back again");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("back again"));
}

TEST(LogTest, LevelsHaveNames) {
  EXPECT_EQ(FromWord<LogLevel>("debug", "log_level"), LogLevel::kDebug);
  EXPECT_EQ(FromWord<LogLevel>("off", "log_level"), LogLevel::kOff);
  testing::ExpectThrowsWith<ConfigError>([] { FromWord<LogLevel>("loud", "log_level"); },
                                         {"log_level is \"loud\"", "debug|info"});
}

}  // namespace
}  // namespace aim
