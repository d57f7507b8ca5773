// Errors of aim. Each carries a Problem; `tools/` turns it into one sentence and an exit code.
#pragma once

#include <stdexcept>
#include <string>
#include <system_error>

namespace aim {

// What went wrong, in the user's words. Reads as "<where> is <got>; expected <expected>; <fix>".
struct Problem {
  std::string where;     // the name the user typed: a flag, a key, a file and its field
  std::string got;       // what was found there
  std::string expected;  // what would have been right
  std::string fix;       // what to do; may be empty
};

std::string ToSentence(const Problem& problem);

class Error : public std::runtime_error {
 public:
  explicit Error(const Problem& problem) : std::runtime_error(ToSentence(problem)) {}
};

// A flag, key or option; a mode the model lacks; too little memory. Exit code 2.
class ConfigError : public Error {
 public:
  using Error::Error;
};

// A file is missing or holds wrong values. Exit code 2.
class InputError : public Error {
 public:
  using Error::Error;
};

// The bytes of a file or message break its format. Exit code 2.
class FormatError : public InputError {
 public:
  using InputError::InputError;
};

// The system or a peer failed: disk full, socket closed, child died. Exit code 1.
class IoError : public Error {
 public:
  using Error::Error;
};

// Whether the caller can mend it: a path that is missing, no folder, a loop, or not permitted.
bool IsTheCallers(const std::error_code& code);

// A place to write that cannot be written: ConfigError where the caller can mend it, else IoError.
[[noreturn]] void ThrowNotWritable(const std::string& where, const std::string& path,
                                   const std::error_code& code);

// FormatError of a file that only another one would mend.
[[noreturn]] void ThrowFormatError(const std::string& where, const std::string& got,
                                   const std::string& expected);

// A broken invariant of our own: a bug. Exit code 1.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void FailCheck(const char* condition, const char* file, int line);

}  // namespace aim

#define AIM_CHECK(condition)                                            \
  do {                                                                  \
    if (!(condition)) ::aim::FailCheck(#condition, __FILE__, __LINE__); \
  } while (false)
