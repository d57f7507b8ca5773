// Errors are judged by their type and the words of their sentence.
#pragma once

#include <gmock/gmock.h>

#include <exception>
#include <string>
#include <vector>

namespace aim::testing {

// Runs `action`, which must throw `Exception` with every one of `words` in its message.
template <class Exception, class Action>
void ExpectThrowsWith(Action&& action, const std::vector<std::string>& words) {
  try {
    action();
  } catch (const Exception& error) {
    for (const std::string& word : words) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(word));
    }
    return;
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another type of error: " << error.what();
    return;
  }
  ADD_FAILURE() << "nothing was thrown";
}

}  // namespace aim::testing
