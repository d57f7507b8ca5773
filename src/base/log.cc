#include "aim/base/log.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

#include "base/stderr_log.h"

namespace aim {
namespace {

std::atomic<LogLevel> lowest_level{LogLevel::kInfo};

// The sink of the program and the lock that makes its calls one at a time.
struct Outlet {
  std::mutex mutex;
  LogSink sink;
};

Outlet& TheOutlet() {
  static Outlet outlet;
  return outlet;
}

void Log(LogLevel level, const std::string& message) {
  if (level < lowest_level) return;
  Outlet& outlet = TheOutlet();
  const std::lock_guard lock(outlet.mutex);
  if (outlet.sink) {
    outlet.sink(level, message);
  } else {
    ShowOnStderr(level, message);
  }
}

}  // namespace

void SetLogLevel(LogLevel level) { lowest_level = level; }

void SetLogSink(LogSink sink) {
  Outlet& outlet = TheOutlet();
  const std::lock_guard lock(outlet.mutex);
  outlet.sink = std::move(sink);
}

void LogDebug(const std::string& message) { Log(LogLevel::kDebug, message); }
void LogInfo(const std::string& message) { Log(LogLevel::kInfo, message); }
void LogWarning(const std::string& message) { Log(LogLevel::kWarning, message); }
void LogError(const std::string& message) { Log(LogLevel::kError, message); }

}  // namespace aim
