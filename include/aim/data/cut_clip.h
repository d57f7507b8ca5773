// Windows of a clip, as long as a model wants them.
#pragma once

#include <vector>

#include "aim/codec/clip.h"

namespace aim {

// Frames [start, start + num_frames) of every view, its cameras and the poses; the last of each is
// repeated past its end.
Clip CutClip(const Clip& clip, int start, int num_frames);

// Appends the frames of `more`, the next ones of an episode with the cameras of `whole`: one that
// moves there has an entry a frame. An empty `clip` becomes `more`.
void AppendFrames(Clip more, const Clip& whole, Clip& clip);

// What an episode is trained in: `count` such windows, the first from its first frame, the others
// from evenly spread later ones. `clip` has all of its frames, and a pose for each or none.
std::vector<Clip> CutClips(const Clip& clip, int count, int num_frames);

}  // namespace aim
