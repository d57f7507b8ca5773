// How large a picture is, said by its file.
#pragma once

#include <cstdint>
#include <string_view>

namespace aim {

struct PictureSize {
  uint32_t width = 0;
  uint32_t height = 0;
};

// Out of the head of a PNG or JPEG file, decoding nothing; zeros if it is neither, or the head of
// a JPEG ends before its frame. Some bytes may promise many pixels: whoever decodes asks first.
PictureSize SizeOfPictureFile(std::string_view bytes);

}  // namespace aim
