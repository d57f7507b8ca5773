#include "aim/recipe/mode_inputs.h"

namespace aim {

ModeInputs InputsOf(const Mode& mode) {
  ModeInputs inputs;
  inputs.whole_video = mode.first_view_video == Given::kAll && !mode.video.first_only;
  inputs.first_pose = mode.action.present && mode.action.given == Given::kFirst;
  inputs.all_poses = mode.action.present && mode.action.given == Given::kAll;
  return inputs;
}

}  // namespace aim
