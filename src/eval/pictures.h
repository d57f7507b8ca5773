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
  std::vector<std::vector<Image>> plain;  // the same without the plan; empty: not kept
  bool same_outcome = false;              // did the second playing end like the first?
};

// Plays the targets of `result`, one each `period_s`, again, with pictures of `size` pixels in the
// full look. Each shows the action image of the pose that the plan in force asks for next, and the
// path it asks for.
TrialPictures RenderTrial(Env& env, const TrialSpec& spec, const TrialResult& result,
                          double period_s, int size);

// The same of what was imagined, which is not imagined again: plain beside the plan.
TrialPictures ImaginedPictures(const TrialResult& result, double period_s, int size);

// One row a view, where there are plain ones one more above it, `num_frames` moments from start to
// end, spread evenly.
Image TrialFilmstrip(const TrialPictures& pictures, int num_frames);

// A picture `size` pixels square; as it is in a core build, which resizes none.
Image AtReportSize(const Image& image, int size);

// Writes `<stem>.jpg`, in a core build `<stem>.png`. Returns the path.
std::filesystem::path WriteFilmstrip(const Image& image, const std::filesystem::path& stem);

// One video a view, plain pictures on the left of those with the plan, `<stem>_view0.mp4` and so
// on; none in a core build. Returns the paths.
std::vector<std::filesystem::path> WriteTrialVideos(const TrialPictures& pictures, double fps,
                                                    const std::filesystem::path& stem);

// What a video shows: the plain picture, if there is one, beside that with the plan.
Image VideoFrame(const TrialPictures& pictures, size_t view, size_t frame);

// What this build leaves out of the report, as its reader is told; empty if nothing.
std::string LeftOut();

}  // namespace aim
