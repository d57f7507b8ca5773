// Messages for the person at the terminal. They go to stderr; data never does.
#pragma once

#include <string>

namespace aim {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// "debug", "info", "warning", "error", "off". Throws ConfigError.
LogLevel ParseLogLevel(const std::string& name);
void SetLogLevel(LogLevel level);

void LogDebug(const std::string& message);
void LogInfo(const std::string& message);
void LogWarning(const std::string& message);
void LogError(const std::string& message);

}  // namespace aim
