#include "aim/cache/latent_cache.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

constexpr int64_t kItems = 150;  // three shards, the last one not full

// Clips that show which item they are of; exact in float16.
EncodedClip MakeEncoded(int64_t item, int64_t clip) {
  const auto value = static_cast<double>(item) + static_cast<double>(clip) / 4;
  return {at::full({2, 2, 3, 2, 1, 1}, value, at::kFloat),
          at::full({2, 2, 1, 4}, value, at::kFloat), at::full({3, 5}, value, at::kFloat)};
}

class LatentCacheTest : public ::testing::Test {
 protected:
  // Two clips an item; none of item 7, one of item 70.
  CacheBuild Build(const std::string& key = "key") {
    const auto make = [this](int64_t item) {
      {
        const std::lock_guard lock(mutex_);
        made_.push_back(item);
      }
      std::vector<EncodedClip> clips;
      for (int64_t clip = 0; clip < (item == 7 ? 0 : item == 70 ? 1 : 2); ++clip)
        clips.push_back(MakeEncoded(item, clip));
      return clips;
    };
    return {.key = key, .num_items = kItems, .num_threads = 2, .make = make};
  }

  static std::vector<double> Values(const LatentCache& cache) {
    std::vector<double> values;
    for (int64_t i = 0; i < cache.size(); ++i)
      values.push_back(cache.Get({i}).latents.max().item<double>());
    return values;
  }

  std::vector<double> Expected() const {
    std::vector<double> values;
    for (int64_t item = 0; item < kItems; ++item) {
      for (int64_t clip = 0; clip < (item == 7 ? 0 : item == 70 ? 1 : 2); ++clip)
        values.push_back(static_cast<double>(item) + static_cast<double>(clip) / 4);
    }
    return values;
  }

  testing::TemporaryFolder folder_;
  std::filesystem::path dir_ = folder_ / "cache";
  std::mutex mutex_;
  std::vector<int64_t> made_;
};

TEST_F(LatentCacheTest, HoldsTheClipsInTheOrderOfTheItems) {
  EXPECT_FALSE(LatentCache::IsComplete(dir_, "key"));
  EXPECT_TRUE(BuildLatentCache(dir_, Build()));
  EXPECT_TRUE(LatentCache::IsComplete(dir_, "key"));
  const LatentCache cache = LatentCache::Open(dir_, "key");
  EXPECT_EQ(Values(cache), Expected());
  const EncodedBatch batch = cache.Get({200, 0, 200});
  const EncodedClip clip = MakeEncoded(0, 0);
  EXPECT_EQ(batch.latents.sizes(), at::IntArrayRef({3, 2, 2, 3, 2, 1, 1}));
  EXPECT_TRUE(at::equal(batch.latents[1], clip.latents));
  EXPECT_TRUE(at::equal(batch.camera[1], clip.camera));
  EXPECT_TRUE(at::equal(batch.text[1], clip.text));
  EXPECT_TRUE(at::equal(batch.latents[0], batch.latents[2]));
  EXPECT_FALSE(at::equal(batch.latents[0], batch.latents[1]));
}

TEST_F(LatentCacheTest, AModelWithoutCamerasHasNone) {
  CacheBuild build = Build();
  build.make = [](int64_t item) {
    EncodedClip clip = MakeEncoded(item, 0);
    clip.camera = at::Tensor();
    return std::vector<EncodedClip>{clip};
  };
  BuildLatentCache(dir_, build);
  EXPECT_FALSE(LatentCache::Open(dir_, "key").Get({3}).camera.defined());
}

// A build that fails in its second shard leaves the first, and the next one goes on from there.
TEST_F(LatentCacheTest, AnInterruptedBuildGoesOn) {
  CacheBuild failing = Build();
  failing.num_threads = 1;
  failing.make = [make = failing.make](int64_t item) {
    if (item == 100) throw IoError({"disk", "full", "space", ""});
    return make(item);
  };
  EXPECT_THROW(BuildLatentCache(dir_, failing), IoError);
  EXPECT_FALSE(LatentCache::IsComplete(dir_, "key"));
  testing::ExpectThrowsWith<InputError>([&] { LatentCache::Open(dir_, "key"); },
                                        {"not a finished latent cache"});
  made_.clear();
  EXPECT_TRUE(BuildLatentCache(dir_, Build()));
  EXPECT_EQ(*std::min_element(made_.begin(), made_.end()), 64) << "the first shard was made again";
  EXPECT_EQ(Values(LatentCache::Open(dir_, "key")), Expected());
}

TEST_F(LatentCacheTest, AStoppedBuildGoesOn) {
  CacheBuild stopped = Build();
  stopped.num_threads = 1;
  stopped.should_stop = [this] { return made_.size() >= 80; };
  int64_t progress = 0;
  stopped.on_progress = [&](int64_t count) { progress += count; };
  EXPECT_FALSE(BuildLatentCache(dir_, stopped));
  EXPECT_EQ(made_.size(), 80U);
  EXPECT_EQ(progress, 80);
  EXPECT_FALSE(LatentCache::IsComplete(dir_, "key"));
  made_.clear();
  progress = 0;
  stopped.should_stop = {};
  EXPECT_TRUE(BuildLatentCache(dir_, stopped));
  EXPECT_EQ(made_.size(), static_cast<size_t>(kItems - 64));
  EXPECT_EQ(progress, kItems);
  EXPECT_EQ(Values(LatentCache::Open(dir_, "key")), Expected());
}

TEST_F(LatentCacheTest, AnotherKeyIsRefusedAndBuiltAnew) {
  BuildLatentCache(dir_, Build());
  testing::ExpectThrowsWith<InputError>([&] { LatentCache::Open(dir_, "other"); },
                                        {"of this data and autoencoder", "key other"});
  made_.clear();
  BuildLatentCache(dir_, Build("other"));
  EXPECT_EQ(made_.size(), static_cast<size_t>(kItems));
  EXPECT_FALSE(LatentCache::IsComplete(dir_, "key"));
  EXPECT_EQ(Values(LatentCache::Open(dir_, "other")), Expected());
}

TEST_F(LatentCacheTest, TheNumberOfThreadsChangesNoByte) {
  BuildLatentCache(dir_, Build());
  CacheBuild alone = Build();
  alone.num_threads = 1;
  BuildLatentCache(folder_ / "alone", alone);
  for (const char* file : {"shard_000000.safetensors", "shard_000002.safetensors", "cache.json"})
    EXPECT_EQ(ReadFile(dir_ / file), ReadFile(folder_ / "alone" / file)) << file;
}

// Where everything is damaged there is a cache of nothing, not an error here.
TEST_F(LatentCacheTest, NothingButDamagedItemsGivesAnEmptyCache) {
  CacheBuild build = Build();
  build.make = [](int64_t) { return std::vector<EncodedClip>(); };
  EXPECT_TRUE(BuildLatentCache(dir_, build));
  EXPECT_EQ(LatentCache::Open(dir_, "key").size(), 0);
}

TEST_F(LatentCacheTest, ADamagedManifestIsNoCache) {
  BuildLatentCache(dir_, Build());
  for (const char* text : {"", "[]", "{\"key\":\"other\"}", "{\"key\":3}"}) {
    WriteFileAtomic(dir_ / "cache.json", text);
    EXPECT_FALSE(LatentCache::IsComplete(dir_, "key")) << text;
  }
}

}  // namespace
}  // namespace aim
