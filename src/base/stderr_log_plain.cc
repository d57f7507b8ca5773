// Builds without spdlog (AIM_CORE_ONLY): the same lines, without colour.
#include <cstdio>
#include <ctime>

#include "aim/base/words.h"
#include "base/stderr_log.h"

namespace aim {

void ShowOnStderr(LogLevel level, const std::string& message) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char clock[16];
  std::strftime(clock, sizeof clock, "%H:%M:%S", &local);
  // One call a line: lines of several threads do not mix.
  std::fprintf(stderr, "%s %s %s\n", clock, ToWord(level).c_str(), message.c_str());
}

}  // namespace aim
