// Logging of builds without spdlog (AIM_CORE_ONLY): the same lines, without colour.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "aim/base/log.h"

namespace aim {
namespace {

std::atomic<LogLevel>& Threshold() {
  static std::atomic<LogLevel> level{LogLevel::kInfo};
  return level;
}

void Write(LogLevel level, const char* name, const std::string& message) {
  if (level < Threshold().load()) return;
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char clock[16];
  std::strftime(clock, sizeof clock, "%H:%M:%S", &local);
  // One call a line: lines of several threads do not mix.
  std::fprintf(stderr, "%s %s %s\n", clock, name, message.c_str());
}

}  // namespace

void SetLogLevel(LogLevel level) { Threshold().store(level); }

void LogDebug(const std::string& message) { Write(LogLevel::kDebug, "debug", message); }
void LogInfo(const std::string& message) { Write(LogLevel::kInfo, "info", message); }
void LogWarning(const std::string& message) { Write(LogLevel::kWarning, "warning", message); }
void LogError(const std::string& message) { Write(LogLevel::kError, "error", message); }

}  // namespace aim
