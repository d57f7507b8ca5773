// Blobs of one colour channel of an action image, found to a fraction of a pixel.
#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace aim {

// One channel of a picture, borrowed. Pixel (row, column) is data[row * row_stride +
// column * pixel_stride] * scale.
template <class T>
struct Plane {
  const T* data = nullptr;
  ptrdiff_t row_stride = 0;
  ptrdiff_t pixel_stride = 1;
  int width = 0;
  int height = 0;
  float scale = 1.0f;

  float at(int row, int column) const {
    return scale * static_cast<float>(data[row * row_stride + column * pixel_stride]);
  }
};

// A channel at the resolution of the search: each cell is the mean of up to four pixels spread over
// a block of `step` x `step`. A Gaussian's width is about three cells at any picture size.
struct SearchGrid {
  Eigen::Array<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> cells;
  int step = 1;
};

template <class T>
SearchGrid MakeSearchGrid(const Plane<T>& plane, double sigma_px);

// A Gaussian blob. `uv` is an array index (column, row), as the rasterizer draws it.
struct Peak {
  Eigen::Vector2d uv;
  Eigen::Matrix2d information;  // inverse covariance of uv from the noise around it, 1/px^2
  double amplitude = 0;         // 1 in a perfect picture
};

struct PeakOptions {
  double sigma_px = 0;       // width of the blob
  double window_sigmas = 0;  // radius of the disc that the fit uses, in units of sigma_px
  double background = 0;     // level of the channel away from the blob
  double offset = 0;         // what a pixel inside the disc holds beside the blob
  int max_peaks = 3;
};

// Candidates for the channel's blob, best first; none if nothing stands out of the noise. A matched
// filter on the search grid proposes, a least-squares fit of (position, amplitude, offset) of the
// known Gaussian to the full-resolution pixels around each proposal decides.
template <class T>
std::vector<Peak> FindPeaks(const Plane<T>& plane, const SearchGrid& grid,
                            const PeakOptions& options);

extern template SearchGrid MakeSearchGrid(const Plane<float>&, double);
extern template SearchGrid MakeSearchGrid(const Plane<uint8_t>&, double);
extern template std::vector<Peak> FindPeaks(const Plane<float>&, const SearchGrid&,
                                            const PeakOptions&);
extern template std::vector<Peak> FindPeaks(const Plane<uint8_t>&, const SearchGrid&,
                                            const PeakOptions&);

}  // namespace aim
