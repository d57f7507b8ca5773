#include "aim/base/error.h"
#include "aim/base/log.h"

namespace aim {

LogLevel ParseLogLevel(const std::string& name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "info") return LogLevel::kInfo;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  if (name == "off") return LogLevel::kOff;
  throw ConfigError({"log_level", "\"" + name + "\"", "debug|info|warning|error|off", ""});
}

}  // namespace aim
