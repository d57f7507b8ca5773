// The edge of B's disc: where the Gaussian meets the pedestal.
#pragma once

#include "codec/peaks.h"

namespace aim {

// At the pedestal's level B stops being a Gaussian: a step when the gripper is closed, a kink when
// it is open. Smooth noise hides a wide blob but not a sharp edge, so the ring of the edge tells
// the centre again, and better.
struct DiscEdge {
  double sigma_px = 0;    // of the Gaussian
  double pedestal = 0;    // its value at the edge
  double background = 0;  // the level outside
};

// Moves the peak to the information-weighted mean of itself and the centre of the ring around it.
// Leaves it as it is if the disc is too small or too far outside the picture, or if the edge
// disagrees with the blob.
template <class T>
void RefineOnDiscEdge(const Plane<T>& plane, const DiscEdge& edge, Peak& peak);

extern template void RefineOnDiscEdge(const Plane<float>&, const DiscEdge&, Peak&);
extern template void RefineOnDiscEdge(const Plane<uint8_t>&, const DiscEdge&, Peak&);

}  // namespace aim
