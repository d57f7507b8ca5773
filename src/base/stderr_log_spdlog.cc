// The only file that names spdlog: its fmt clashes with the one that LibTorch ships.
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "base/stderr_log.h"

namespace aim {
namespace {

// Made on first use; spdlog's own registry stays untouched, so that a program that links aim and
// uses spdlog keeps its loggers.
spdlog::logger& Logger() {
  static spdlog::logger logger = [] {
    spdlog::logger made("aim", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made.set_pattern("%H:%M:%S %^%l%$ %v");
    made.set_level(spdlog::level::trace);  // log.cc has dropped what is not wanted
    made.flush_on(spdlog::level::trace);
    return made;
  }();
  return logger;
}

}  // namespace

// The message is an argument, not a format: it may hold braces.
void ShowOnStderr(LogLevel level, const std::string& message) {
  switch (level) {
    case LogLevel::kDebug:
      return Logger().debug("{}", message);
    case LogLevel::kInfo:
      return Logger().info("{}", message);
    case LogLevel::kWarning:
      return Logger().warn("{}", message);
    case LogLevel::kError:
    case LogLevel::kOff:
      return Logger().error("{}", message);
  }
}

}  // namespace aim
