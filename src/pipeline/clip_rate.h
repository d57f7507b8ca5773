// Frames a second: those of what is read beside those a model was trained at.
#pragma once

#include <string>

namespace aim {

// Whether frames that are taken one by one are about as far apart as in training, within 2 %.
bool IsModelRate(double fps, double model_fps);

// Warns that `name` has `fps` frames a second. Its frames are taken one by one all the same.
void WarnOfRate(const std::string& name, double fps, double model_fps);

}  // namespace aim
