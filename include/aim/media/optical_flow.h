// How the points of one picture moved to the next.
#pragma once

#include <Eigen/Core>
#include <vector>

#include "aim/media/image.h"

namespace aim {

// Dense motion between two pictures of one size, one vector for each cell of 2 x 2 pixels.
class FlowField {
 public:
  // `cells` is [rows, columns, 2]: pixels to the right, pixels down.
  FlowField(int rows, int columns, std::vector<float> cells);

  // How far the point (x, y) in [0, 1] x [0, 1] of the picture moved, in widths and heights of it.
  Eigen::Vector2d At(const Eigen::Vector2d& point) const;

 private:
  int rows_;
  int columns_;
  std::vector<float> cells_;
};

// From `from` to `to`, which have one size of at least 32 x 32 pixels. By dense inverse search
// (Kroeger et al., ECCV 2016) on their brightness, without spatial propagation: the same for any
// number of threads.
FlowField OpticalFlow(const Image& from, const Image& to);

}  // namespace aim
