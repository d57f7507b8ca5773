// Pictures, samples and weights computed from integers, the same as in
// scripts/make_metric_fixture.py.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace aim::testing {

// Numbers in [0, 1) from 32-bit integers alone.
inline std::vector<double> HashedNumbers(uint32_t seed, size_t count) {
  std::vector<double> numbers(count);
  for (size_t i = 0; i < count; ++i) {
    uint32_t x = (static_cast<uint32_t>(i) + seed) * 2654435761U;
    x ^= x >> 15U;
    x *= 2246822519U;
    x ^= x >> 13U;
    x *= 3266489917U;
    x ^= x >> 16U;
    numbers[i] = x / 4294967296.0;
  }
  return numbers;
}

// 32-bit FNV-1a.
inline uint32_t NameSeed(const std::string& name) {
  uint32_t seed = 2166136261U;
  for (const char c : name) seed = (seed ^ static_cast<unsigned char>(c)) * 16777619U;
  return seed;
}

// [T, H, W, 3]: stripes that move, and noise.
inline std::vector<uint8_t> StripedVideo(uint32_t seed, int frames, int width, int height) {
  std::vector<uint8_t> bytes;
  bytes.reserve(static_cast<size_t>(frames) * static_cast<size_t>(width) *
                static_cast<size_t>(height) * 3);
  for (int t = 0; t < frames; ++t) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        for (int c = 0; c < 3; ++c) {
          bytes.push_back(static_cast<uint8_t>((3 * x + 5 * y + 11 * t + 40 * c) % 192));
        }
      }
    }
  }
  const std::vector<double> noise = HashedNumbers(seed, bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(bytes[i] + static_cast<int>(noise[i] * 64));
  }
  return bytes;
}

struct MadePictures {
  std::vector<uint8_t> first;
  std::vector<uint8_t> second;
};

inline MadePictures MakePicturePair(int width, int height) {
  MadePictures pair = {StripedVideo(1, 1, width, height), StripedVideo(2, 3, width, height)};
  pair.second.erase(pair.second.begin(),
                    pair.second.end() - static_cast<std::ptrdiff_t>(pair.first.size()));
  return pair;
}

}  // namespace aim::testing
