#include "aim/base/error.h"

namespace aim {

std::string ToSentence(const Problem& problem) {
  std::string sentence = problem.where + " is " + problem.got;
  if (!problem.expected.empty()) sentence += "; expected " + problem.expected;
  if (!problem.fix.empty()) sentence += "; " + problem.fix;
  return sentence;
}

bool IsTheCallers(const std::error_code& code) {
  for (const std::errc fault :
       {std::errc::permission_denied, std::errc::no_such_file_or_directory,
        std::errc::not_a_directory, std::errc::is_a_directory, std::errc::read_only_file_system,
        std::errc::too_many_symbolic_link_levels, std::errc::filename_too_long}) {
    if (code == fault) return true;
  }
  return false;
}

void ThrowNotWritable(const std::string& where, const std::string& path,
                      const std::error_code& code) {
  const Problem problem{.where = where,
                        .got = "not writable (" + path + ": " + code.message() + ")",
                        .expected = "a place that can be written",
                        .fix = ""};
  if (IsTheCallers(code)) throw ConfigError(problem);
  throw IoError(problem);
}

void ThrowFormatError(const std::string& where, const std::string& got,
                      const std::string& expected) {
  throw FormatError({.where = where, .got = got, .expected = expected, .fix = ""});
}

void FailCheck(const char* condition, const char* file, int line) {
  throw InternalError(std::string("check failed: ") + condition + " (" + file + ":" +
                      std::to_string(line) + ")");
}

}  // namespace aim
