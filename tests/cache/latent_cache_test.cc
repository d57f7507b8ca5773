#include "aim/cache/latent_cache.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <iterator>
#include <mutex>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/tensor/safetensors.h"
#include "support/fork.h"
#include "support/scene.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using ::testing::DoubleNear;
using ::testing::Pointwise;

constexpr int64_t kItems = 150;  // three shards, the last one not full

constexpr int kFrames = 3;
constexpr int kSize = 4;  // pixels

// Clips that show which item they are of; exact in float16. Every third item has another prompt.
EncodedClip MakeEncoded(int64_t item, int64_t clip) {
  const auto value = static_cast<double>(item) + static_cast<double>(clip) / 4;
  return {at::full({2, 2, 3, 2, 1, 1}, value, at::kFloat),
          at::full({2, 2, 1, 4}, value, at::kFloat),
          at::full({3, 5}, static_cast<double>(item % 3), at::kFloat)};
}

// Poses, cameras (one that moves, one that is fixed) and pictures that differ between clips.
CachedClip MakeCached(int64_t item, int64_t clip) {
  Rng rng(static_cast<uint64_t>(item * 10 + clip));
  CachedClip cached{MakeEncoded(item, clip), {}};
  Clip& truth = cached.truth;
  truth.height = truth.width = kSize;
  truth.fps = 8.25;
  truth.prompt = "prompt " + std::to_string(item % 3);
  for (int frame = 0; frame < kFrames; ++frame) truth.poses.push_back(testing::RandomToolPose(rng));
  for (int v = 0; v < 2; ++v) {
    const std::vector<Camera> rig =
        testing::MakeCameraRig({.num_views = v == 0 ? kFrames : 1, .size_px = kSize}, rng);
    ClipView view;
    view.camera = {"view" + std::to_string(v), rig};
    view.num_frames = kFrames;
    for (int i = 0; i < kFrames * kSize * kSize * 3; ++i)
      view.rgb.push_back(static_cast<uint8_t>(rng.Uniform() * 256));
    truth.views.push_back(std::move(view));
  }
  return cached;
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
      std::vector<CachedClip> clips;
      for (int64_t clip = 0; clip < (item == 7 ? 0 : item == 70 ? 1 : 2); ++clip)
        clips.push_back(MakeCached(item, clip));
      return clips;
    };
    return {
        .key = key, .num_items = kItems, .num_threads = 2, .start_worker = [make] { return make; }};
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
  build.start_worker = [] {
    return [](int64_t item) {
      CachedClip clip = MakeCached(item, 0);
      clip.encoded.camera = at::Tensor();
      return std::vector<CachedClip>{clip};
    };
  };
  BuildLatentCache(dir_, build);
  EXPECT_FALSE(LatentCache::Open(dir_, "key").Get({3}).camera.defined());
}

// A build that fails in its second shard leaves the first, and the next one goes on from there.
TEST_F(LatentCacheTest, AnInterruptedBuildGoesOn) {
  CacheBuild failing = Build();
  failing.num_threads = 1;
  failing.start_worker = [make = failing.start_worker()] {
    return [make](int64_t item) {
      if (item == 100) throw IoError({"disk", "full", "space", ""});
      return make(item);
    };
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
  build.start_worker = [] { return [](int64_t) { return std::vector<CachedClip>(); }; };
  EXPECT_TRUE(BuildLatentCache(dir_, build));
  EXPECT_EQ(LatentCache::Open(dir_, "key").size(), 0);
}

TEST_F(LatentCacheTest, ADamagedManifestIsNoCache) {
  BuildLatentCache(dir_, Build());
  for (const char* text :
       {"", "[]", "{\"key\":\"other\"}", "{\"key\":3}", "{\"key\":\"key\",\"shards\":3}",
        "{\"format\":\"aim-latents-3\",\"key\":\"key\",\"shards\":-1}",
        "{\"format\":\"aim-latents-2\",\"key\":\"key\",\"shards\":3}"}) {
    WriteFileAtomic(dir_ / "cache.json", text);
    EXPECT_FALSE(LatentCache::IsComplete(dir_, "key")) << text;
  }
}

// Cameras, poses and prompt come back exactly: what a model is measured by.
TEST_F(LatentCacheTest, TheTruthComesBack) {
  for (const bool pictures : {false, true}) {
    CacheBuild build = Build();
    build.num_items = 3;
    build.keep_pictures = pictures;
    const std::filesystem::path dir = folder_ / (pictures ? "pictures" : "none");
    ASSERT_TRUE(BuildLatentCache(dir, build));
    const LatentCache cache = LatentCache::Open(dir);
    ASSERT_EQ(cache.size(), 6);
    for (int64_t index = 0; index < 6; ++index) {
      SCOPED_TRACE(index);
      EXPECT_EQ(cache.Item(index), index / 2);
      const Clip expected = MakeCached(index / 2, index % 2).truth;
      const Clip clip = cache.Truth(index);
      EXPECT_EQ(clip.prompt, expected.prompt);
      EXPECT_EQ(clip.fps, expected.fps);
      EXPECT_EQ(clip.height, kSize);
      ASSERT_EQ(clip.poses.size(), expected.poses.size());
      for (size_t i = 0; i < clip.poses.size(); ++i)
        EXPECT_THAT(ToNumbers(clip.poses[i]),
                    Pointwise(DoubleNear(1e-15), ToNumbers(expected.poses[i])));
      ASSERT_EQ(clip.views.size(), 2U);
      for (size_t v = 0; v < 2; ++v) {
        for (size_t frame = 0; frame < kFrames; ++frame) {
          const Camera& a = clip.views[v].camera.at(frame);
          const Camera& b = expected.views[v].camera.at(frame);
          EXPECT_EQ(a.width, b.width);
          EXPECT_EQ(a.fx, b.fx);
          EXPECT_EQ(a.cy, b.cy);
          EXPECT_EQ(a.world_from_camera.translation, b.world_from_camera.translation);
          EXPECT_EQ(a.world_from_camera.rotation.coeffs(), b.world_from_camera.rotation.coeffs());
        }
        EXPECT_EQ(clip.views[v].num_frames, pictures ? kFrames : 0);
        EXPECT_EQ(clip.views[v].rgb, pictures ? expected.views[v].rgb : std::vector<uint8_t>());
      }
    }
  }
}

// Shards that hold some actions, none, all: what is missing is said, its numbers are zeros, and
// what stands beside it comes back. Cameras likewise.
TEST_F(LatentCacheTest, AVideoAloneSaysSo) {
  const auto acts = [](int64_t item) { return item < 2 ? item == 0 : item > 3; };
  CacheBuild build = Build();
  build.num_items = 6;
  build.items_per_shard = 2;
  build.start_worker = [&] {
    return [&](int64_t item) {
      CachedClip clip = MakeCached(item, 0);
      clip.origin = {"set" + std::to_string(item % 2), "episode" + std::to_string(item)};
      if (!acts(item)) clip.truth.poses.clear();
      if (item == 1) clip.truth.views[1].camera.frames.clear();
      return std::vector<CachedClip>{clip};
    };
  };
  for (const bool pictures : {false, true}) {
    build.keep_pictures = pictures;
    const std::filesystem::path dir = folder_ / (pictures ? "pictures" : "none");
    ASSERT_TRUE(BuildLatentCache(dir, build));
    const LatentCache cache = LatentCache::Open(dir);
    EXPECT_EQ(cache.DataSets(), (std::set<std::string>{"set0", "set1"}));
    for (int64_t item = 0; item < 6; ++item) {
      SCOPED_TRACE(item);
      EXPECT_EQ(cache.HasActions(item), acts(item));
      EXPECT_EQ(cache.Origin(item).episode, "episode" + std::to_string(item));
      EXPECT_EQ(cache.Origin(item).data_set, "set" + std::to_string(item % 2));
      const Clip clip = cache.Truth(item);
      EXPECT_EQ(clip.poses.size(), acts(item) ? kFrames : 0U);
      EXPECT_EQ(clip.views[0].camera.frames.size(), item == 1 ? 0U : kFrames);
      EXPECT_EQ(clip.views[0].num_frames, pictures ? kFrames : 0);
    }
    const SafetensorsFile shard = OpenSafetensors(dir / "shard_000000.safetensors");
    for (const char* name : {"poses", "intrinsics", "world_from_camera"})
      EXPECT_FALSE(shard.tensors.at(name)[1].any().item<bool>()) << name;
  }
}

// Made by an earlier version: refused by name, and made anew where it can be.
TEST_F(LatentCacheTest, ACacheOfAnotherVersionIsNeverMisread) {
  BuildLatentCache(dir_, Build());
  const std::string manifest = ReadFile(dir_ / "cache.json");
  std::string older = manifest;
  older.replace(older.find("latents-3"), 9, "latents-2");
  WriteFileAtomic(dir_ / "cache.json", older);
  testing::ExpectThrowsWith<InputError>([&] { LatentCache::Open(dir_); },
                                        {"another version of aim (aim-latents-2)", "again"});
  const std::filesystem::path path = dir_ / "shard_000001.safetensors";
  SafetensorsFile shard = OpenSafetensors(path);
  shard.metadata["format"] = "aim-latents-2";
  shard.metadata.erase("fingerprint");
  WriteSafetensors(path, shard.tensors, shard.metadata);
  made_.clear();
  EXPECT_TRUE(BuildLatentCache(dir_, Build()));
  EXPECT_EQ(made_.size(), 64U);  // of the one shard
  EXPECT_EQ(ReadFile(dir_ / "cache.json"), manifest);
  EXPECT_EQ(Values(LatentCache::Open(dir_, "key")), Expected());
}

TEST_F(LatentCacheTest, APromptIsStoredOnceAShard) {
  ASSERT_TRUE(BuildLatentCache(dir_, Build()));
  const SafetensorsFile shard = OpenSafetensors(dir_ / "shard_000000.safetensors");
  EXPECT_EQ(shard.tensors.at("text").size(0), 3);
  EXPECT_EQ(shard.tensors.at("latents").size(0), 126);
}

TEST_F(LatentCacheTest, HeldOutClipsAreTheLast) {
  ASSERT_TRUE(BuildLatentCache(dir_, Build()));
  LatentCache cache = LatentCache::Open(dir_);
  EXPECT_EQ(cache.size(), 297);
  EXPECT_EQ(cache.num_shards(), 3);
  int64_t size_bytes = 0;
  for (int shard = 0; shard < 3; ++shard)
    size_bytes += static_cast<int64_t>(std::filesystem::file_size(
        dir_ / ("shard_00000" + std::to_string(shard) + ".safetensors")));
  EXPECT_EQ(cache.size_bytes(), size_bytes);
  cache.KeepFirst(100);
  EXPECT_EQ(cache.size(), 100);
  EXPECT_EQ(Values(cache).back(), Expected()[99]);
}

TEST_F(LatentCacheTest, DamagedShardsAreNamed) {
  ASSERT_TRUE(BuildLatentCache(dir_, Build()));
  const std::filesystem::path path = dir_ / "shard_000001.safetensors";
  const SafetensorsFile whole = OpenSafetensors(path);
  const auto write = [&](WeightMap tensors, Metadata metadata) {
    std::filesystem::remove(path);
    metadata.erase("fingerprint");
    WriteSafetensors(path, tensors, metadata);
  };
  const auto expect = [&](const std::string& words) {
    testing::ExpectThrowsWith<InputError>([&] { LatentCache::Open(dir_); },
                                          {"shard_000001.safetensors", words});
  };
  for (const char* name : {"text", "item", "poses", "intrinsics", "world_from_camera", "origin_row",
                           "has_actions", "has_cameras"}) {
    WeightMap tensors = whole.tensors;
    tensors.erase(name);
    write(tensors, whole.metadata);
    expect(std::string("without ") + name);
    tensors[name] = at::zeros({1, 1}, at::kFloat);
    write(tensors, whole.metadata);
    expect(name);
  }
  WeightMap tensors = whole.tensors;
  tensors["latents"] = at::zeros_like(tensors["latents"]);
  std::filesystem::remove(path);
  WriteSafetensors(path, tensors, whole.metadata);
  expect("damaged (fingerprint");
  tensors = whole.tensors;
  tensors["text_row"] = tensors["text_row"] + 5;
  write(tensors, whole.metadata);
  expect("text_row points beyond the 3 there are");
  tensors = whole.tensors;
  tensors["origin_row"] = tensors["origin_row"] - 1;
  write(tensors, whole.metadata);
  expect("origin_row points beyond");
  Metadata metadata = whole.metadata;
  metadata["prompts"] = "[1, 2, 3]";
  write(whole.tensors, metadata);
  expect("damaged");
  for (const char* origins : {"[7]", "[[\"data\"]]", "[[1, 2]]", "{"}) {
    metadata = whole.metadata;
    metadata["origins"] = origins;
    write(whole.tensors, metadata);
    expect("");
  }
  metadata = whole.metadata;
  metadata["key"] = "other";
  write(whole.tensors, metadata);
  expect("of another cache");
  std::filesystem::resize_file(path, 1000);
  expect("");
}

// A process killed in the middle of its second shard, then two at once: they finish all of it,
// equal to what one process makes.
TEST_F(LatentCacheTest, ProcessesShareABuildAndSurviveAKill) {
  const auto build_in = [&](const std::string& name, bool dies) {
    return testing::Fork([&, dies] {
      CacheBuild build = Build();
      build.items_per_shard = 8;
      build.num_threads = 1;
      build.start_worker = [&, make = build.start_worker()] {
        return [&, make](int64_t item) {
          if (dies && made_.size() == 11) ::raise(SIGKILL);
          return make(item);
        };
      };
      if (!BuildLatentCache(dir_, build)) ::_exit(1);
      WriteFileAtomic(folder_ / name, std::to_string(made_.size()));
    });
  };
  EXPECT_TRUE(WIFSIGNALED(testing::WaitFor(build_in("killed", true))));
  const pid_t first = build_in("first", false);
  const pid_t second = build_in("second", false);
  for (const pid_t process : {first, second}) {
    const int status = testing::WaitFor(process);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  const int made = std::stoi(ReadFile(folder_ / "first")) + std::stoi(ReadFile(folder_ / "second"));
  EXPECT_EQ(made, kItems - 8) << "all but the one shard that was finished before the kill, once";
  CacheBuild alone = Build();
  alone.items_per_shard = 8;
  made_.clear();
  EXPECT_TRUE(BuildLatentCache(dir_, alone));
  EXPECT_TRUE(made_.empty()) << "something was missing";
  ASSERT_TRUE(BuildLatentCache(folder_ / "alone", alone));
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "alone")) {
    const std::filesystem::path name = entry.path().filename();
    EXPECT_EQ(ReadFile(dir_ / name), ReadFile(entry.path())) << name;
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_), {}), 20)
      << "19 shards, cache.json, and no lock or temporary file";
}

}  // namespace
}  // namespace aim
