#include "aim/base/blake2b.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace aim {
namespace {

std::string Repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

// Of Python 3: hashlib.blake2b(text.encode(), digest_size=8).hexdigest(). Both sides of a block.
TEST(Blake2bTest, IsThatOfPython) {
  const std::vector<std::pair<std::string, uint64_t>> cases = {
      {"", 0xe4a6a0577479b2b4},
      {"abc", 0xd8bb14d833d59559},
      {"reach_target|0|0", 0x2e8eacbb40cb2c6c},
      {std::string(127, 'a'), 0x03d6a9be11f3f18a},
      {std::string(128, 'a'), 0xf06643fe9c7e18da},
      {std::string(129, 'a'), 0xe462535bb0c5a299},
      {Repeated("bytes ", 100), 0x7ff63a91e04b23be},
  };
  for (const auto& [text, digest] : cases) EXPECT_EQ(Blake2b64(text), digest) << text;
}

}  // namespace
}  // namespace aim
