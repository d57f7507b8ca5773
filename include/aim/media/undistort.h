// Pictures of a lens turned into those of a pinhole.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "aim/geometry/lens.h"
#include "aim/media/image.h"

namespace aim {

// Where every pixel of a pinhole's picture lies in the picture of a lens with the same focal
// lengths, principal point and size. Thread-safe.
class Undistorter {
 public:
  Undistorter(const Camera& camera, const Lens& lens);

  // What the camera would have shown without its lens; black where it saw nothing. `rgb` is one
  // picture of the camera's size, [height, width, 3].
  Image operator()(std::span<const uint8_t> rgb) const;

  // Part of the picture that stays black.
  double blank_fraction() const { return blank_fraction_; }

 private:
  int width_;
  int height_;
  std::vector<float> columns_;  // of the source, a pixel; integers are centres of pixels
  std::vector<float> rows_;
  double blank_fraction_ = 0;
};

}  // namespace aim
