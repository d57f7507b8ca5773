#include "aim/base/blake2b.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

namespace aim {
namespace {

constexpr size_t kBlockBytes = 128;
constexpr size_t kDigestBytes = 8;
constexpr int kRounds = 12;

using Words = std::array<uint64_t, 16>;

// The fractions of the square roots of the first eight primes, as of SHA-512.
constexpr std::array<uint64_t, 8> kStart = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

// Which word of the message each half of a mix takes; RFC 7693, 2.7. Rounds 10 and 11 are 0 and 1.
constexpr uint8_t kOrder[10][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
                                    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
                                    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
                                    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
                                    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
                                    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
                                    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
                                    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
                                    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

// Columns, then diagonals, of the words as a square of four rows.
constexpr uint8_t kMixed[8][4] = {{0, 4, 8, 12},  {1, 5, 9, 13},  {2, 6, 10, 14}, {3, 7, 11, 15},
                                  {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13},  {3, 4, 9, 14}};

void Mix(Words& v, const uint8_t (&at)[4], uint64_t x, uint64_t y) {
  uint64_t& a = v[at[0]];
  uint64_t& b = v[at[1]];
  uint64_t& c = v[at[2]];
  uint64_t& d = v[at[3]];
  a += b + x;
  d = std::rotr(d ^ a, 32);
  c += d;
  b = std::rotr(b ^ c, 24);
  a += b + y;
  d = std::rotr(d ^ a, 16);
  c += d;
  b = std::rotr(b ^ c, 63);
}

// `num_bytes` counts all of the message up to this block's end.
void Compress(std::array<uint64_t, 8>& state, std::string_view block, uint64_t num_bytes,
              bool is_last) {
  Words message{};
  for (size_t i = 0; i < block.size(); ++i) {
    message[i / 8] |= static_cast<uint64_t>(static_cast<unsigned char>(block[i])) << (8 * (i % 8));
  }
  Words v;
  std::copy(state.begin(), state.end(), v.begin());
  std::copy(kStart.begin(), kStart.end(), v.begin() + 8);
  v[12] ^= num_bytes;
  if (is_last) v[14] = ~v[14];
  for (int round = 0; round < kRounds; ++round) {
    const auto& order = kOrder[round % 10];
    for (size_t i = 0; i < 8; ++i)
      Mix(v, kMixed[i], message[order[2 * i]], message[order[2 * i + 1]]);
  }
  for (size_t i = 0; i < 8; ++i) state[i] ^= v[i] ^ v[i + 8];
}

uint64_t SwappedBytes(uint64_t value) {
  uint64_t swapped = 0;
  for (int i = 0; i < 8; ++i) swapped = swapped << 8 | (value >> (8 * i) & 0xff);
  return swapped;
}

}  // namespace

uint64_t Blake2b64(std::string_view bytes) {
  std::array<uint64_t, 8> state = kStart;
  state[0] ^= 0x01010000 ^ kDigestBytes;  // no key, one leaf
  uint64_t num_bytes = 0;
  while (bytes.size() > kBlockBytes) {
    num_bytes += kBlockBytes;
    Compress(state, bytes.substr(0, kBlockBytes), num_bytes, false);
    bytes.remove_prefix(kBlockBytes);
  }
  Compress(state, bytes, num_bytes + bytes.size(), true);
  return SwappedBytes(state[0]);
}

}  // namespace aim
