// Finds the pose that explains the blobs, without a first guess.
#pragma once

#include <optional>

#include "codec/rigid_fit.h"

namespace aim {

// Triangulates anchors from pairs of views, starts the rigid fit from them and keeps the best
// answer. Empty if no anchor is seen in two views, if fewer than four blobs agree, or if two
// different poses explain the blobs about equally well.
std::optional<RigidFit> SearchPose(const FitProblem& problem);

}  // namespace aim
