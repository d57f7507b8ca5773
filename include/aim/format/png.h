// Pictures as PNG files, written.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace aim {

// The bytes of a PNG file of 8-bit RGB, row-major [height, width, 3]. Lossless.
std::string EncodePng(int width, int height, std::span<const uint8_t> rgb);

}  // namespace aim
