#include "aim/report/data_uri.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using ::aim::testing::ExpectThrowsWith;
using ::aim::testing::TemporaryFolder;

// RFC 4648, section 10, and all that a byte can be.
TEST(DataUriTest, BytesStandInsideThePage) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {std::string("\xFB\xFF\x00", 3), "+/8A"},
  };
  for (const auto& [bytes, base64] : cases)
    EXPECT_EQ(DataUri("image/png", bytes), "data:image/png;base64," + base64);
}

TEST(DataUriTest, AFileIsWhatItsNameSays) {
  const TemporaryFolder folder;
  for (const auto& [name, type] :
       {std::pair{"a.png", "image/png"}, std::pair{"a.jpg", "image/jpeg"},
        std::pair{"a.mp4", "video/mp4"}}) {
    WriteFileAtomic(folder / name, "foo");
    EXPECT_EQ(DataUri(folder / name), "data:" + std::string(type) + ";base64,Zm9v");
  }
  ExpectThrowsWith<InputError>([&] { DataUri(folder / "none.png"); }, {"none.png"});
}

// Small ones are in the page, large ones are linked, as are small ones once the page is full.
TEST(PageVideosTest, LargeVideosAreLinked) {
  constexpr size_t kMiB = size_t{1} << 20;
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "small.mp4", "foo");
  WriteFileAtomic(folder / "full.mp4", std::string(kMiB, 'x'));
  WriteFileAtomic(folder / "large.mp4", std::string(kMiB + 1, 'x'));
  PageVideos videos(folder.path());
  const nlohmann::json values =
      videos.Values(std::vector<std::string>{"small.mp4", "large.mp4", "none.mp4"});
  EXPECT_EQ(values[0]["source"], "data:video/mp4;base64,Zm9v");
  EXPECT_EQ(values[0]["is_embedded"], true);
  EXPECT_EQ(values[1]["is_linked"], true);
  EXPECT_EQ(values[1]["is_embedded"], false);
  EXPECT_EQ(values[1]["file"], "large.mp4");
  EXPECT_EQ(values[2]["is_missing"], true);
  EXPECT_EQ(values[2]["is_linked"], false);
  const nlohmann::json many = videos.Values(std::vector<std::string>(17, "full.mp4"));
  for (size_t i = 0; i < many.size(); ++i) EXPECT_EQ(many[i]["is_embedded"], i < 15) << i;
  EXPECT_EQ(many[16]["is_linked"], true);
}

}  // namespace
}  // namespace aim
