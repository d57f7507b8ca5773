// The one table of tolerances. A looser one in a test needs its reason beside it.
#pragma once

namespace aim::testing {

// Geometry in double: a few roundings of coordinates of a few metres or a thousand pixels.
inline constexpr double kRoundTripM = 1e-12;
inline constexpr double kRoundTripRad = 1e-12;
inline constexpr double kRoundTripPx = 1e-9;
// Near an angle of pi, and where a matrix stands between two quaternions.
inline constexpr double kThroughMatrixRad = 1e-7;

// Through float32 in a file: half of the last of 24 bits, of a few metres, a turn, a thousand
// pixels (and, for rotations, the sum over the numbers of a quaternion or matrix).
inline constexpr double kFloat32M = 5e-7;
inline constexpr double kFloat32Rad = 1e-6;
inline constexpr double kFloat32Px = 1e-4;

// Goldens printed with a fixed number of digits: half of the last digit, and rounding.
inline constexpr double kFourDigits = 1e-4;
inline constexpr double kSixDigits = 1.5e-6;
inline constexpr double kTwoDigitsPx = 1e-2;

// Tensors, by device and type: absolute tolerance for values of order 1 after one layer or step.
enum class Device { kCpu, kCuda };
enum class Precision { kFloat64, kFloat32, kBfloat16, kFloat16 };

constexpr double TensorTolerance(Device device, Precision precision) {
  switch (precision) {
    case Precision::kFloat64:
      return 1e-12;
    // Sums run in another order on a GPU.
    case Precision::kFloat32:
      return device == Device::kCpu ? 1e-5 : 1e-4;
    case Precision::kFloat16:
      return 2e-3;
    case Precision::kBfloat16:
      return 1.6e-2;
  }
  return 0;
}

}  // namespace aim::testing
