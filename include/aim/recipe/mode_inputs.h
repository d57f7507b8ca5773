// What each job of a model starts from.
#pragma once

#include "aim/recipe/mode.h"

namespace aim {

// What a mode has to be given, read off its row of the table.
struct ModeInputs {
  bool whole_video = false;  // else the first frame of each view
  bool first_pose = false;   // the pose at the first frame
  bool all_poses = false;    // a pose for every frame

  // It answers what is seen now with what is to be done next.
  bool acts() const { return first_pose && !whole_video; }
};
ModeInputs InputsOf(const Mode& mode);

}  // namespace aim
