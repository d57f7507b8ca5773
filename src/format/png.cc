#include "aim/format/png.h"

#include "aim/base/error.h"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#include <stb/stb_image_write.h>

namespace aim {

std::string EncodePng(int width, int height, std::span<const uint8_t> rgb) {
  AIM_CHECK(width > 0 && height > 0 &&
            rgb.size() == static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
  std::string bytes;
  const auto append = [](void* context, void* data, int size) {
    static_cast<std::string*>(context)->append(static_cast<const char*>(data),
                                               static_cast<size_t>(size));
  };
  AIM_CHECK(stbi_write_png_to_func(append, &bytes, width, height, 3, rgb.data(), 3 * width) != 0);
  return bytes;
}

}  // namespace aim
