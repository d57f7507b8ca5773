#include "aim/base/atomic_file.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <thread>
#include <vector>

#include "aim/base/error.h"
#include "support/file_size_limit.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using testing::ExpectThrowsWith;
using testing::TemporaryFolder;

std::vector<std::string> NamesIn(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(WriteFileAtomicTest, WritesAndReplacesAllBytes) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a/b/c.bin";
  const std::string bytes("\0x\xff\r\n", 5);
  WriteFileAtomic(path, bytes);
  EXPECT_EQ(ReadFile(path), bytes);
  WriteFileAtomic(path, "");
  EXPECT_EQ(ReadFile(path), "");
  EXPECT_THAT(NamesIn(path.parent_path()), ::testing::ElementsAre("c.bin"));
}

TEST(WriteFileAtomicTest, WriterGetsTheSameFolderAndExtension) {
  const TemporaryFolder folder;
  fs::path seen;
  WriteFileAtomic(folder / "v.mp4", [&](const fs::path& temporary) {
    seen = temporary;
    std::ofstream(temporary) << "video";
  });
  EXPECT_EQ(seen.parent_path(), folder.path());
  EXPECT_EQ(seen.extension(), ".mp4");
  EXPECT_NE(seen.filename(), "v.mp4");
  EXPECT_EQ(ReadFile(folder / "v.mp4"), "video");
}

TEST(WriteFileAtomicTest, ThrowingWriterLeavesTheOldFileAndNothingElse) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "a.txt", "old");
  EXPECT_THROW(WriteFileAtomic(folder / "a.txt",
                               [](const fs::path& temporary) {
                                 std::ofstream(temporary) << "half";
                                 throw InputError({"x", "y", "", ""});
                               }),
               InputError);
  EXPECT_EQ(ReadFile(folder / "a.txt"), "old");
  EXPECT_THAT(NamesIn(folder.path()), ::testing::ElementsAre("a.txt"));
}

TEST(WriteFileAtomicTest, FullDiskIsAnIoErrorAndKeepsTheOldFile) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "a.txt", "old");
  const testing::FileSizeLimit limit(4096);
  ExpectThrowsWith<IoError>([&] { WriteFileAtomic(folder / "a.txt", std::string(10000, 'x')); },
                            {"a.tmp", "not writable", "free space"});
  EXPECT_EQ(ReadFile(folder / "a.txt"), "old");
  EXPECT_THAT(NamesIn(folder.path()), ::testing::ElementsAre("a.txt"));
}

TEST(WriteFileAtomicTest, PlaceThatCannotBeWrittenIsAnIoError) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "file", "x");
  EXPECT_THROW(WriteFileAtomic(folder / "file/below", "y"), IoError);
  fs::create_directory(folder / "folder");
  EXPECT_THROW(WriteFileAtomic(folder / "folder", "y"), IoError);
  EXPECT_THAT(NamesIn(folder.path()), ::testing::ElementsAre("file", "folder"));
}

TEST(WriteFileAtomicTest, ThreadsWritingOneFileLeaveOneWholeVersion) {
  const TemporaryFolder folder;
  std::vector<std::thread> threads;
  for (char letter = 'a'; letter < 'e'; ++letter) {
    threads.emplace_back([&, letter] {
      for (int i = 0; i < 20; ++i) WriteFileAtomic(folder / "f", std::string(5000, letter));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = ReadFile(folder / "f");
  EXPECT_EQ(text, std::string(5000, text[0]));
  EXPECT_THAT(NamesIn(folder.path()), ::testing::ElementsAre("f"));
}

TEST(WriteFolderAtomicTest, ReplacesTheWholeFolder) {
  const TemporaryFolder folder;
  const fs::path target = folder / "step_1/";
  WriteFolderAtomic(target, [](const fs::path& temporary) {
    fs::create_directory(temporary / "sub");
    std::ofstream(temporary / "sub/a") << "1";
    std::ofstream(temporary / "b") << "2";
  });
  EXPECT_EQ(ReadFile(target / "sub/a"), "1");
  WriteFolderAtomic(target,
                    [](const fs::path& temporary) { std::ofstream(temporary / "c") << "3"; });
  EXPECT_THAT(NamesIn(target), ::testing::ElementsAre("c"));
  EXPECT_THAT(NamesIn(folder.path()), ::testing::ElementsAre("step_1"));
}

TEST(WriteFolderAtomicTest, ThrowingWriterLeavesTheOldFolderAndNothingElse) {
  const TemporaryFolder folder;
  const fs::path target = folder / "run";
  WriteFolderAtomic(target, [](const fs::path& path) { std::ofstream(path / "a") << "1"; });
  EXPECT_THROW(WriteFolderAtomic(target,
                                 [](const fs::path& path) {
                                   std::ofstream(path / "half") << "x";
                                   throw IoError({"x", "y", "", ""});
                                 }),
               IoError);
  EXPECT_THAT(NamesIn(target), ::testing::ElementsAre("a"));
  EXPECT_THAT(NamesIn(folder.path()), ::testing::ElementsAre("run"));
}

TEST(ReadFileTest, MissingFileAndFolderAreInputErrors) {
  const TemporaryFolder folder;
  ExpectThrowsWith<InputError>([&] { ReadFile(folder / "none"); }, {"none", "missing"});
  ExpectThrowsWith<InputError>([&] { ReadFile(folder.path()); }, {"a folder"});
}

}  // namespace
}  // namespace aim
