#include "aim/tensor/pickled_arrays.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "support/pickled.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::PickledArray;
using testing::PickledFile;
using testing::PickledItems;
using testing::PickledText;
using testing::TemporaryFolder;

class PickledArraysTest : public ::testing::Test {
 protected:
  std::filesystem::path Write(const std::string& value) const {
    const std::filesystem::path path = folder_ / "weights.ckpt";
    WriteFileAtomic(path, PickledFile(value));
    return path;
  }

  TemporaryFolder folder_;
};

TEST_F(PickledArraysTest, NamesAreTheKeysOnTheWay) {
  const std::string kernel = PickledArray({2, 3}, {1, 2, 3, 4, 5, 6});
  const std::string bias = PickledArray({3}, {7, 8, 9});
  const WeightMap weights = ReadPickledArrays(
      Write(PickledItems({{"params", PickledItems({{"Conv_0", PickledItems({{"kernel", kernel}})},
                                                   {"a/b", PickledItems({{"bias", bias}})}})}})));
  ASSERT_EQ(weights.size(), 2u);
  const at::Tensor expected = at::arange(1, 7, at::kFloat).reshape({2, 3});
  EXPECT_TRUE(weights.at("params/Conv_0/kernel").equal(expected));
  EXPECT_TRUE(weights.at("params/a/b/bias").equal(at::arange(7, 10, at::kFloat)));
}

TEST_F(PickledArraysTest, RefusesWhatIsNoTreeOfArrays) {
  const struct {
    const char* name;
    std::string value;
    std::vector<std::string> words;
  } cases[] = {
      {"a text among the arrays",
       PickledItems({{"params", PickledItems({{"kernel", PickledText("x")}})}}),
       {"params/kernel", "neither a dictionary nor an array"}},
      {"a list at the root", "](" + PickledArray({1}, {1}) + "e", {"neither a dictionary"}},
      {"a key that is a number", "}(K\x01" + PickledArray({1}, {1}) + "u", {"key that is no text"}},
      {"bytes that the shape does not have",
       PickledItems({{"a", PickledArray({3}, {1, 2})}}),
       {": a"}},
      {"a global", PickledItems({{"a", "cos\nsystem\n"}}), {"os.system"}},
      // {"a": itself}, by the memo.
      {"itself", "}q\x01(" + PickledText("a") + "h\x01u", {"nested"}},
  };
  for (const auto& broken : cases) {
    SCOPED_TRACE(broken.name);
    std::vector<std::string> words = broken.words;
    words.emplace_back("weights.ckpt");
    ExpectThrowsWith<FormatError>([&] { ReadPickledArrays(Write(broken.value)); }, words);
  }
  ExpectThrowsWith<InputError>([&] { ReadPickledArrays(folder_ / "none.ckpt"); }, {"none.ckpt"});
}

// A dictionary that holds the one below twice, twenty times over: a million ways down to one array.
TEST_F(PickledArraysTest, DoesNotGrowBeyondTheFile) {
  std::string value = PickledItems({{"a", PickledArray({1}, {1})}}) + "q" + std::string(1, '\0');
  for (char level = 1; level <= 20; ++level) {
    const std::string below = std::string("h") + static_cast<char>(level - 1);
    value += "0}(" + PickledText("a") + below + PickledText("b") + below + "uq" + level;
  }
  ExpectThrowsWith<FormatError>([&] { ReadPickledArrays(Write(value)); }, {"hold each other"});
}

TEST_F(PickledArraysTest, TruncatedAnywhereIsAFormatError) {
  const std::string whole = PickledFile(PickledItems({{"a", PickledArray({2}, {1, 2})}}));
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::filesystem::path path = folder_ / "cut.ckpt";
    std::ofstream(path, std::ios::binary) << whole.substr(0, size);  // a few hundred: not synced
    EXPECT_THROW(ReadPickledArrays(path), FormatError) << size;
  }
}

}  // namespace
}  // namespace aim
