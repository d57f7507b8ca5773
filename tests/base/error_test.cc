#include "aim/base/error.h"

#include <gtest/gtest.h>

namespace aim {
namespace {

TEST(ErrorTest, SentenceNamesWhereGotExpectedAndFix) {
  EXPECT_EQ(ToSentence({"cameras.json: views[1].fx", "-612.4", "a positive focal length in pixels",
                        "convert RLBench cameras with CameraFromRlbench"}),
            "cameras.json: views[1].fx is -612.4; expected a positive focal length in pixels; "
            "convert RLBench cameras with CameraFromRlbench");
  EXPECT_EQ(ToSentence({"x", "3", "", ""}), "x is 3");
}

TEST(ErrorTest, FormatErrorsAreInputErrors) {
  EXPECT_THROW(throw FormatError({"a", "b", "c", "d"}), InputError);
}

TEST(ErrorTest, BrokenInvariantNamesConditionAndFile) {
  try {
    AIM_CHECK(1 + 1 == 3);
    FAIL();
  } catch (const InternalError& error) {
    EXPECT_NE(std::string(error.what()).find("1 + 1 == 3"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("error_test.cc"), std::string::npos);
  }
}

}  // namespace
}  // namespace aim
