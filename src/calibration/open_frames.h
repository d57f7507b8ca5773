// The pictures of a view, as a person has them.
#pragma once

#include <memory>
#include <string>

#include "aim/media/frame_reader.h"

namespace aim {

// A video, or a folder of 0.png, 1.png, ... that are shown at `fps`. Throws InputError.
std::shared_ptr<FrameReader> OpenFrames(const std::string& path, double fps);

}  // namespace aim
