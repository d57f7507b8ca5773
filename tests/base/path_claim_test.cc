#include "aim/base/path_claim.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "support/fork.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

TEST(PathClaimTest, OnlyOneHoldsIt) {
  const TemporaryFolder folder;
  const fs::path episode = folder / "episode0";
  {
    const auto mine = PathClaim::Take(episode);
    ASSERT_TRUE(mine.has_value());
    EXPECT_FALSE(PathClaim::Take(episode).has_value());
    EXPECT_TRUE(PathClaim::Take(folder / "episode1").has_value());
  }
  EXPECT_TRUE(PathClaim::Take(episode).has_value());
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

// Clocks of other hosts: an old date takes no claim from its holder, one in the future keeps none
// for a holder that is dead.
TEST(PathClaimTest, DatesSayNothing) {
  const TemporaryFolder folder;
  const auto now = fs::file_time_type::clock::now();
  const auto year = std::chrono::hours(24 * 365);
  const fs::path held = folder / "held", left = folder / "left";
  const auto mine = PathClaim::Take(held);
  ASSERT_TRUE(mine.has_value());
  fs::last_write_time(PathClaim::LockPath(held), now - 50 * year);
  EXPECT_FALSE(PathClaim::Take(held).has_value());
  WriteFileAtomic(PathClaim::LockPath(left), "");
  fs::last_write_time(PathClaim::LockPath(left), now + year);
  EXPECT_TRUE(PathClaim::Take(left).has_value());
}

// A place that the user named and can mend, not a fault of the system.
TEST(PathClaimTest, APlaceThatCannotBeWrittenIsTheCallers) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "file", "");
  const std::string longest(255, 'x');  // the name fits, that of its lock does not
  for (const fs::path& path : {folder / "file/out.json", folder / longest}) {
    testing::ExpectThrowsWith<ConfigError>([&] { PathClaim::Take(path); },
                                           {path.string() + " is not writable", "can be written"});
  }
}

// Many threads, one place: never two inside at once, also while lock files come and go.
TEST(PathClaimTest, NeverTwoAtOnce) {
  const TemporaryFolder folder;
  std::atomic<int> inside{0};
  std::atomic<int> taken{0};
  std::atomic<bool> twice{false};
  std::vector<std::future<void>> threads;
  for (int i = 0; i < 8; ++i) {
    threads.push_back(std::async(std::launch::async, [&] {
      for (int k = 0; k < 10000; ++k) {
        const auto claim = PathClaim::Take(folder / "episode0");
        if (!claim) continue;
        if (++inside > 1) twice = true;
        ++taken;
        for (int turn = 0; turn < 3; ++turn) std::this_thread::yield();  // lets the others try
        --inside;
      }
    }));
  }
  for (auto& thread : threads) thread.get();
  EXPECT_FALSE(twice);
  EXPECT_GT(taken, 0);
}

// A process that dies by kill -9 with a claim and half an episode leaves neither in the way.
TEST(PathClaimTest, AKilledOwnerLeavesNothingInTheWay) {
  const TemporaryFolder folder;
  const fs::path episode = folder / "episode0";
  const pid_t pid = testing::Fork([&] {
    const auto claim = PathClaim::Take(episode);
    fs::create_directories(folder / ".episode0.tmp-1-0");
    ::raise(SIGKILL);
  });
  EXPECT_TRUE(WIFSIGNALED(testing::WaitFor(pid)));
  EXPECT_TRUE(fs::exists(folder / ".episode0.lock"));
  EXPECT_TRUE(PathClaim::Take(episode).has_value());
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

// The same for a file: what WriteFileAtomic was about to write.
TEST(PathClaimTest, AKilledOwnersHalfFileIsRemoved) {
  const TemporaryFolder folder;
  const fs::path shard = folder / "shard.bin";
  const pid_t pid = testing::Fork([&] {
    const auto claim = PathClaim::Take(shard);
    WriteFileAtomic(shard, [](const fs::path& half) {
      WriteFileAtomic(half, "half");
      ::raise(SIGKILL);
    });
  });
  EXPECT_TRUE(WIFSIGNALED(testing::WaitFor(pid)));
  EXPECT_FALSE(fs::is_empty(folder.path()));
  EXPECT_TRUE(PathClaim::Take(shard).has_value());
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(PathClaimTest, WaitingEndsWithTheOwner) {
  const TemporaryFolder folder;
  std::optional<PathClaim> mine = PathClaim::Take(folder / "a");
  std::atomic<bool> released{false};
  auto other = std::async(std::launch::async, [&] {
    const PathClaim claim = PathClaim::Wait(folder / "a");
    return released.load();
  });
  EXPECT_EQ(other.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  released = true;
  mine.reset();
  EXPECT_TRUE(other.get());
}

}  // namespace
}  // namespace aim
