#include "aim/base/file_stamp.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "aim/base/atomic_file.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

TEST(FileStampTest, ChangesWithWhatLiesBelowAFolderAndWithNothingElse) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "d/a/x", "1");
  WriteFileAtomic(folder / "d/b", "2");
  const std::string before = FileStamp(folder / "d");
  fs::copy(folder / "d", folder / "copy", fs::copy_options::recursive);
  EXPECT_EQ(FileStamp(folder / "copy"), before);
  WriteFileAtomic(folder / "d/a/x", "3");
  EXPECT_NE(FileStamp(folder / "d"), before);
  WriteFileAtomic(folder / "d/a/x", "1");
  WriteFileAtomic(folder / "d/c", "");
  EXPECT_NE(FileStamp(folder / "d"), before);
  fs::remove(folder / "d/c");
  EXPECT_EQ(FileStamp(folder / "d"), before);
  fs::rename(folder / "d/b", folder / "d/e");
  EXPECT_NE(FileStamp(folder / "d"), before);
}

TEST(FileStampTest, OfALargeFileItsEndsAndSizeCount) {
  const TemporaryFolder folder;
  std::string bytes(1 << 20, 'x');
  const auto stamp = [&] {
    WriteFileAtomic(folder / "a", bytes);
    return FileStamp(folder / "a");
  };
  const std::string before = stamp();
  for (const size_t place : {size_t{0}, bytes.size() - 1}) {
    bytes[place] = 'y';
    EXPECT_NE(stamp(), before);
    bytes[place] = 'x';
  }
  bytes += 'x';
  EXPECT_NE(stamp(), before);
  EXPECT_EQ(FileStamp(folder / "none"), "");
}

TEST(FileStampTest, ALoopOfLinksEnds) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "d/a", "1");
  fs::create_directory_symlink(folder / "d", folder / "d/loop");
  EXPECT_EQ(FileStamp(folder / "d"), FileStamp(folder / "d"));
}

}  // namespace
}  // namespace aim
