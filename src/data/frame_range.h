// Parts of an episode.
#pragma once

#include <string>

#include "aim/data/episode.h"

namespace aim {

// `range` with its end in (begin, num_frames]. Throws InputError naming `where` if it holds no
// frame.
FrameRange WithinEpisode(const FrameRange& range, int num_frames, const std::string& where);

// Keeps those cameras, poses, measured poses and confidences that belong to `range`; a first pose
// alone belongs to ranges from 0. Pictures are left as they are.
void CutToRange(const FrameRange& range, Episode& episode);

}  // namespace aim
