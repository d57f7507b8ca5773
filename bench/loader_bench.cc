// How many clips a second come out of a data set, read at random, and out of a latent cache.
//   bin/loader_bench DATA [--cache DIR] [--clips N] [--threads N] [--frames N] [--size PX]
// Prints {"clips_per_s", "cached_clips_per_s"}. bench/against_lerobot.py compares it.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>

#include "aim/base/error.h"
#include "aim/base/parallel.h"
#include "aim/base/rng.h"
#include "aim/cache/latent_cache.h"
#include "aim/data/data_set.h"
#include "aim/data/open_episode.h"

namespace {

struct LoaderBench {
  std::string data;
  std::string cache;
  int64_t clips = 64;
  int threads = 2;
  int frames = 41;
  int size_px = 256;
};

LoaderBench ParseWords(int argc, char** argv) {
  LoaderBench bench;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) {
      bench.data = word;
      continue;
    }
    if (++i == argc) throw aim::ConfigError({word, "without a value", "one", ""});
    if (word == "--cache") {
      bench.cache = argv[i];
    } else if (word == "--clips") {
      bench.clips = std::stoll(argv[i]);
    } else if (word == "--threads") {
      bench.threads = std::stoi(argv[i]);
    } else if (word == "--frames") {
      bench.frames = std::stoi(argv[i]);
    } else if (word == "--size") {
      bench.size_px = std::stoi(argv[i]);
    } else {
      throw aim::ConfigError(
          {word, "unknown", "--cache, --clips, --threads, --frames, --size", ""});
    }
  }
  return bench;
}

// `read(clip)` for as many clips, the threads sharing them; clips a second. Runs once before.
double ClipsPerSecond(const LoaderBench& bench, const std::function<void(int64_t)>& read) {
  aim::ParallelFor(bench.threads, bench.threads, read);
  const auto begin = std::chrono::steady_clock::now();
  aim::ParallelFor(bench.clips, bench.threads, read);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(bench.clips) / spent.count();
}

double FromEpisodes(const LoaderBench& bench) {
  const aim::DataSet data = aim::OpenDataSet(bench.data);
  const auto num_episodes = static_cast<int64_t>(data.episodes().size());
  return ClipsPerSecond(bench, [&](int64_t i) {
    aim::Rng rng = aim::Rng(1).Derive(static_cast<uint64_t>(i), "clip");
    const auto episode =
        data.Open(data.episodes()[static_cast<size_t>(rng.UniformInt(num_episodes))]);
    const int start =
        static_cast<int>(rng.UniformInt(std::max(1, episode->num_frames() - bench.frames + 1)));
    const aim::Clip clip =
        episode->ReadFitted({start, start + bench.frames}, 1, bench.size_px, bench.size_px);
    AIM_CHECK(clip.views.size() >= 2);
  });
}

double FromCache(const LoaderBench& bench) {
  const aim::LatentCache cache = aim::LatentCache::Open(bench.cache);
  return ClipsPerSecond(bench, [&](int64_t i) {
    aim::Rng rng = aim::Rng(1).Derive(static_cast<uint64_t>(i), "clip");
    AIM_CHECK(cache.Get({rng.UniformInt(cache.size())}).latents.defined());
  });
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const LoaderBench bench = ParseWords(argc, argv);
    std::printf("{\"clips_per_s\": %.3f", FromEpisodes(bench));
    if (!bench.cache.empty()) std::printf(", \"cached_clips_per_s\": %.3f", FromCache(bench));
    std::printf("}\n");
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
