// Random numbers that are the same on every machine and library.
#pragma once

#include <cstdint>
#include <string_view>

namespace aim {

// 64-bit FNV-1a followed by a bit mixer: a stable hash for seeds and hashed words.
uint64_t StableHash(std::string_view text, uint64_t seed = 0);

// xoshiro256++ seeded through splitmix64. Not thread-safe: one for each worker.
class Rng {
 public:
  explicit Rng(uint64_t seed);

  // An independent stream for (this seed, index, purpose). Does not advance this one, so the
  // number of threads or the order of work changes nothing.
  Rng Derive(uint64_t index, std::string_view purpose) const;

  uint64_t seed() const { return seed_; }  // what this stream was started with

  uint64_t Next();
  double Uniform();                         // [0, 1)
  double Uniform(double low, double high);  // [low, high)
  int64_t UniformInt(int64_t count);        // {0, ..., count - 1}; count > 0
  double Normal();                          // mean 0, variance 1 (Box-Muller, no cached half)

 private:
  uint64_t seed_;
  uint64_t state_[4];
};

}  // namespace aim
