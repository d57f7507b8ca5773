// Pictures in memory and on disk.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace aim {

// 8-bit RGB, row-major [height, width, 3].
struct Image {
  Image() = default;
  Image(int image_width, int image_height)  // black
      : width(image_width),
        height(image_height),
        rgb(static_cast<size_t>(image_width) * static_cast<size_t>(image_height) * 3) {}

  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;
};

using Rgb = std::array<uint8_t, 3>;

// PNG, JPEG or any other format that OpenCV knows, as 8-bit RGB: grey is repeated, alpha dropped.
// Throws InputError if the file is missing, FormatError if its bytes are no picture.
Image ReadImage(const std::filesystem::path& path);

// The same of the bytes of a file. Throws FormatError naming `where`.
Image DecodeImage(const std::string& bytes, const std::string& where);

// The extension chooses the format: .png is lossless, .jpg has quality 95. Atomic; makes folders.
// Throws ConfigError for another extension, IoError if the system fails.
void WriteImage(const std::filesystem::path& path, const Image& image);

// The bytes of a JPEG file; `quality` is 0 (smallest) to 100.
std::string EncodeJpeg(const Image& image, int quality);

}  // namespace aim
