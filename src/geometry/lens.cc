#include "aim/geometry/lens.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"

namespace aim {
namespace {

constexpr size_t kFisheyeCoefficients = 4;
constexpr size_t kTiltedCoefficients = 14;
constexpr double kWidestRadius = 20;  // 87 degrees from the axis
constexpr double kRadiusStep = 1e-3;

// The distance from the axis at which the lens shows what a pinhole shows at `radius`; tangential
// and prism terms, which are small, left out.
double BentRadius(const Lens& lens, double radius) {
  const auto& k = lens.coefficients;
  if (lens.model == LensModel::kFisheye) {
    const double angle = std::atan(radius);
    const double a2 = angle * angle;
    return angle * (1 + a2 * (k[0] + a2 * (k[1] + a2 * (k[2] + a2 * k[3]))));
  }
  const double r2 = radius * radius;
  return radius * (1 + r2 * (k[0] + r2 * (k[1] + r2 * k[4]))) /
         (1 + r2 * (k[5] + r2 * (k[6] + r2 * k[7])));
}

}  // namespace

Lens MakeLens(LensModel model, std::span<const double> coefficients, const std::string& where) {
  const size_t count = coefficients.size();
  const bool is_fisheye = model == LensModel::kFisheye;
  const std::array<size_t, 8> counts = {0, 1, 2, 4, 5, 8, kLensCoefficients, kTiltedCoefficients};
  const bool is_known = is_fisheye ? count > 0 && count <= kFisheyeCoefficients
                                   : std::find(counts.begin(), counts.end(), count) != counts.end();
  if (!is_known) {
    throw InputError(
        {.where = where,
         .got = "of " + CountText(static_cast<int64_t>(count), "coefficient"),
         .expected = is_fisheye ? "the 4 of a fisheye lens" : "4, 5, 8 or 12, in OpenCV's order",
         .fix = "calibrate the camera again with a model that has them"});
  }
  Lens lens{.model = model};
  for (size_t i = 0; i < count; ++i) {
    const bool is_tilt = i >= kLensCoefficients;
    if (std::isfinite(coefficients[i]) && !(is_tilt && coefficients[i] != 0)) {
      if (!is_tilt) lens.coefficients[i] = coefficients[i];
      continue;
    }
    throw InputError(
        {.where = where + "[" + std::to_string(i) + "]",
         .got = ToText(coefficients[i]),
         .expected = is_tilt ? "0: a tilted sensor is not modelled" : "a finite number",
         .fix = "calibrate the camera again"});
  }
  return lens;
}

bool IsBent(const Lens& lens) {
  return lens.model == LensModel::kFisheye ||
         std::any_of(lens.coefficients.begin(), lens.coefficients.end(),
                     [](double value) { return value != 0; });
}

Eigen::Vector2d Distort(const Lens& lens, const Eigen::Vector2d& direction) {
  const double x = direction.x();
  const double y = direction.y();
  const double r2 = x * x + y * y;
  const double radius = std::sqrt(r2);
  if (radius < 1e-12) return direction;
  const Eigen::Vector2d radial = direction * (BentRadius(lens, radius) / radius);
  if (lens.model == LensModel::kFisheye) return radial;
  const auto& k = lens.coefficients;
  const double xy = 2 * x * y;
  return radial + Eigen::Vector2d(k[2] * xy + k[3] * (r2 + 2 * x * x) + r2 * (k[8] + r2 * k[9]),
                                  k[2] * (r2 + 2 * y * y) + k[3] * xy + r2 * (k[10] + r2 * k[11]));
}

double FoldRadius(const Lens& lens) {
  double last = 0;
  for (double radius = kRadiusStep; radius < kWidestRadius; radius += kRadiusStep) {
    const double bent = BentRadius(lens, radius);
    if (!(bent > last)) return radius - kRadiusStep;
    last = bent;
  }
  return std::numeric_limits<double>::infinity();
}

double CornerShiftPx(const Camera& camera, const Lens& lens) {
  double largest = 0;
  const Eigen::Vector2d focal(camera.fx, camera.fy);
  for (const double u : {0.0, static_cast<double>(camera.width)}) {
    for (const double v : {0.0, static_cast<double>(camera.height)}) {
      const Eigen::Vector2d direction((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy);
      const Eigen::Vector2d shift = Distort(lens, direction) - direction;
      largest = std::max(largest, shift.cwiseProduct(focal).norm());
    }
  }
  return largest;
}

}  // namespace aim
