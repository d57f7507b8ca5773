// How a lens bends what a pinhole would show: OpenCV's two models, in which ROS, Kalibr and COLMAP
// give their cameras too.
#pragma once

#include <array>
#include <span>
#include <string>

#include "aim/geometry/camera.h"

namespace aim {

enum class LensModel {
  kRadialTangential,  // a pinhole with radial, tangential and thin prism terms
  kFisheye            // equidistant: bent even where every coefficient is 0
};

inline constexpr size_t kLensCoefficients = 12;

struct Lens {
  LensModel model = LensModel::kRadialTangential;
  // k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4; of a fisheye k1 k2 k3 k4.
  std::array<double, kLensCoefficients> coefficients{};
};

// A lens from as many coefficients as OpenCV writes: none, 4, 5, 8, 12 or 14 (of a fisheye 4; also
// fewer, the rest being 0). Throws InputError naming `where` for other numbers of them, one that is
// not finite, or a tilted sensor (coefficients 13 and 14).
Lens MakeLens(LensModel model, std::span<const double> coefficients, const std::string& where);

// Whether it shows anything else than a pinhole.
bool IsBent(const Lens& lens);

// Where the lens shows the direction (x, y, 1), on the same plane z = 1.
Eigen::Vector2d Distort(const Lens& lens, const Eigen::Vector2d& direction);

// How far from the axis, on the plane z = 1, the lens shows more and more of the world; beyond it
// the formula folds back and means nothing. Infinite for most.
double FoldRadius(const Lens& lens);

// The largest way, in pixels, by which the lens moves a corner of the camera's picture.
double CornerShiftPx(const Camera& camera, const Lens& lens);

}  // namespace aim
