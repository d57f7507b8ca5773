// When the frames of a video are shown.
#pragma once

#include <span>
#include <string>

namespace aim {

// Frames a second at times that rise. `declared_fps`, what the file says of itself (0: nothing), if
// every frame is within half an interval of it; otherwise the usual rate, to which gaps do not
// count. 0 if neither is known.
double FrameRateOf(std::span<const double> times_s, double declared_fps);

// "frame 5 comes 0.48 s after frame 4, 0.12 s are usual" for the largest interval that is off by
// more than half of 1 / fps; empty if all are even.
std::string DescribeUnevenTimes(std::span<const double> times_s, double fps);

// "frame 7 comes 0.5 s later" for the frame that is furthest from its place in `others_s`, both
// counted from their first, if that is more than half of 1 / fps; else empty. Two views of one
// length.
std::string DescribeTimesApart(std::span<const double> times_s, std::span<const double> others_s,
                               double fps);

}  // namespace aim
