// Messages for the person who watches. They go to stderr, or to a sink of the program; data never
// does.
#pragma once

#include <functional>
#include <string>

#include "aim/base/words.h"

namespace aim {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

constexpr auto WordsOf(LogLevel) {
  return WordTable<LogLevel, 5>{{{LogLevel::kDebug, "debug"},
                                 {LogLevel::kInfo, "info"},
                                 {LogLevel::kWarning, "warning"},
                                 {LogLevel::kError, "error"},
                                 {LogLevel::kOff, "off"}}};
}

// "debug", "info", "warning", "error", "off". Throws ConfigError.
// Messages below it are dropped, whoever shows them.
void SetLogLevel(LogLevel level);

// Where messages go in place of stderr: a notebook, a server's log, a window. Called from any
// thread, one call at a time; may not log itself. An empty sink brings stderr back.
using LogSink = std::function<void(LogLevel level, const std::string& message)>;
void SetLogSink(LogSink sink);

void LogDebug(const std::string& message);
void LogInfo(const std::string& message);
void LogWarning(const std::string& message);
void LogError(const std::string& message);

}  // namespace aim
