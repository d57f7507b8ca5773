#include "aim/tensor/shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/base/error.h"

namespace aim {
namespace {

using ::testing::HasSubstr;

std::string Message(const at::Tensor& tensor, std::initializer_list<Dim> expected) {
  try {
    CheckShape(tensor, expected, "latents");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(CheckShapeTest, AcceptsNumbersLettersAndAnySize) {
  const at::Tensor tensor = at::zeros({2, 4, 3, 5, 5});
  EXPECT_EQ(Message(tensor, {"B", 4, "F", "s", "s"}), "");
  EXPECT_EQ(Message(tensor, {2, -1, 3, 5, 5}), "");
  EXPECT_EQ(Message(at::zeros({}), {}), "");
}

TEST(CheckShapeTest, NamesTensorFoundAndExpected) {
  EXPECT_EQ(Message(at::zeros({1, 3, 4}), {"B", 4, "F", "h", "w"}),
            "latents is [1, 3, 4]; expected [B, 4, F, h, w]");
  EXPECT_EQ(Message(at::zeros({1, 3}), {"B", 4}), "latents is [1, 3]; expected [B, 4]");
  EXPECT_EQ(Message(at::zeros({3, 4}), {-1, 0}), "latents is [3, 4]; expected [any, 0]");
  EXPECT_THAT(Message(at::Tensor(), {"B"}), HasSubstr("absent"));
}

TEST(CheckShapeTest, OneLetterIsOneSize) {
  EXPECT_EQ(Message(at::zeros({3, 4}), {"n", "n"}), "latents is [3, 4]; expected [n, n]");
}

TEST(CheckDtypeTest, NamesBothTypes) {
  CheckDtype(at::zeros({1}), at::kFloat, "video");
  try {
    CheckDtype(at::zeros({1}, at::kHalf), at::kFloat, "video");
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "video is float16; expected float32");
  }
}

}  // namespace
}  // namespace aim
