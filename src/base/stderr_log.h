// Where messages go without a sink: a line on stderr.
#pragma once

#include <string>

#include "aim/base/log.h"

namespace aim {

void ShowOnStderr(LogLevel level, const std::string& message);

}  // namespace aim
