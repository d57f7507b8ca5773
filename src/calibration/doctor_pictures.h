// Pictures in which a person sees what the doctor found.
#pragma once

#include <set>
#include <span>

#include "aim/media/image.h"
#include "calibration/diagnosis.h"
#include "calibration/fingers.h"

namespace aim {

// Evenly over the clip.
std::set<int> ShownFrames(int num_frames);

// A legend, and each view's frames in a row, the tool drawn as given; where something was found, or
// may be true as well, a second row below with the tool so. `pictures` hold `frames`.
Image DrawOverlays(const ClipNumbers& given, const Diagnosis& diagnosis,
                   const std::set<int>& frames, std::span<const FramePictures> pictures);

}  // namespace aim
