#include "aim/format/mapped_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

using testing::TemporaryFolder;

constexpr size_t kPages = 8;

std::filesystem::path PutFile(const TemporaryFolder& folder) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  WriteFileAtomic(folder / "w.bin", std::string(kPages * page, 'x'));
  return folder / "w.bin";
}

TEST(MappedFileTest, HoldsTheBytes) {
  const TemporaryFolder folder;
  const auto file = MappedFile::Open(PutFile(folder));
  EXPECT_EQ(file->size_bytes(), std::filesystem::file_size(folder / "w.bin"));
  for (const std::byte byte : file->bytes()) ASSERT_EQ(byte, std::byte{'x'});
  EXPECT_THROW(MappedFile::Open(folder / "none"), InputError);
}

// Its last page, after another program has cut the file.
void TouchWhatIsGone(const MappedFile& file, const std::filesystem::path& path) {
  std::filesystem::resize_file(path, 10);
  const volatile std::byte* last = file.data() + file.size_bytes() - 1;
  if (*last == std::byte{'x'}) _exit(0);
  _exit(3);
}

TEST(MappedFileDeathTest, AShortenedFileIsNamed) {
  const TemporaryFolder folder;
  const std::filesystem::path path = PutFile(folder);
  EXPECT_EXIT(
      {
        ExplainShortenedFiles();
        const auto other = MappedFile::Open(path);
        const auto file = MappedFile::Open(path);
        TouchWhatIsGone(*file, path);
      },
      ::testing::ExitedWithCode(1), "w.bin is shorter than when it was opened");
}

// What is no mapping of ours stays what it was; a file that was closed is none.
TEST(MappedFileDeathTest, OtherFaultsStay) {
  EXPECT_EXIT(
      {
        ExplainShortenedFiles();
        raise(SIGBUS);
        raise(SIGBUS);
      },
      ::testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace aim
