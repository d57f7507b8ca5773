// InputError in one line, for readers that refuse much.
#pragma once

#include <string>

#include "aim/base/error.h"

namespace aim {

[[noreturn]] inline void FailInput(const std::string& where, const std::string& got,
                                   const std::string& expected, const std::string& fix = "") {
  throw InputError({.where = where, .got = got, .expected = expected, .fix = fix});
}

}  // namespace aim
