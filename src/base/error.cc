#include "aim/base/error.h"

namespace aim {

std::string ToSentence(const Problem& problem) {
  std::string sentence = problem.where + " is " + problem.got;
  if (!problem.expected.empty()) sentence += "; expected " + problem.expected;
  if (!problem.fix.empty()) sentence += "; " + problem.fix;
  return sentence;
}

void FailCheck(const char* condition, const char* file, int line) {
  throw InternalError(std::string("check failed: ") + condition + " (" + file + ":" +
                      std::to_string(line) + ")");
}

}  // namespace aim
