// Little-endian numbers out of untrusted bytes.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>

namespace aim {

static_assert(std::endian::native == std::endian::little, "weight files are little-endian");

// The number at `offset`; the caller has checked that it lies within.
template <std::unsigned_integral Number>
Number ReadNumber(std::span<const std::byte> bytes, size_t offset) {
  Number number = 0;
  std::memcpy(&number, bytes.data() + offset, sizeof(Number));
  return number;
}

// Whether [offset, offset + size) lies within `total`; never overflows.
inline bool Fits(size_t offset, size_t size, size_t total) {
  return offset <= total && size <= total - offset;
}

}  // namespace aim
