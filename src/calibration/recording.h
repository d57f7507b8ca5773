// The clip that the doctor looks at: its numbers as they are, and its pictures a frame at a time.
#pragma once

#include <functional>

#include "aim/base/run_context.h"
#include "aim/calibration/doctor.h"
#include "aim/media/image.h"
#include "calibration/hypotheses.h"

namespace aim {

// Called with each view's frames in order.
using VisitPicture = std::function<void(size_t view, int frame, const Image& image)>;

struct Recording {
  ClipNumbers numbers;  // as many poses as frames
  double period_s = 0;  // between two frames
  int num_frames = 0;
  std::function<void(const VisitPicture&)> visit_pictures;
};

// From --video, --poses and --cameras, or from --data. Names the inputs to `run`. Throws InputError
// where views, frames, cameras and poses do not belong together in number.
Recording OpenRecording(const DoctorOptions& options, RunContext& run);

}  // namespace aim
