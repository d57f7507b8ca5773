// Numbers of the eight-bit float e4m3 that all devices quantise by.
#pragma once

namespace aim {

inline constexpr double kLargestE4m3 = 448;
// Rows of smaller numbers are zeros beside any others: below it 448 / largest would be infinite.
inline constexpr double kSmallestE4m3Row = 0x1p-100;

}  // namespace aim
