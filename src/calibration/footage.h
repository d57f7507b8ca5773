// What the doctor takes out of the pictures of a recording, in one pass over them.
#pragma once

#include <set>
#include <vector>

#include "aim/base/progress.h"
#include "calibration/fingers.h"
#include "calibration/recording.h"
#include "calibration/tool_motion.h"

namespace aim {

struct Footage {
  std::vector<ViewMotion> motion;       // a view
  std::vector<FramePictures> pictures;  // a view: the frames that were asked for
};

// The flow of every pair of `plan`, and the pictures of frames in `kept`, at most 960 pixels wide
// or high.
Footage WatchRecording(const Recording& recording, const MotionPlan& plan,
                       const std::set<int>& kept, Progress& progress);

}  // namespace aim
