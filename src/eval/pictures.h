// What a trial looked like, with its plan drawn over it: filmstrips and videos.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "aim/control/env.h"
#include "aim/eval/trial.h"
#include "aim/media/image.h"

namespace aim {

struct TrialPictures {
  std::vector<std::vector<Image>> views;  // [view][env step]; step 0 is the start
  bool same_outcome = false;              // did the second playing end like the first?
};

// Plays the targets of `result` again, with pictures of `size` pixels in the full look. Each shows
// the action image of the pose that the plan in force asks for next, and the path it asks for.
TrialPictures RenderTrial(Env& env, const TrialSpec& spec, const TrialResult& result, int size);

// One row a view, `num_frames` moments from start to end, spread evenly.
Image TrialFilmstrip(const TrialPictures& pictures, int num_frames);

// One video a view, `<stem>_view0.mp4` and so on. Returns the paths.
std::vector<std::filesystem::path> WriteTrialVideos(const TrialPictures& pictures, double fps,
                                                    const std::filesystem::path& stem);

}  // namespace aim
