// The curves of a training run, as parts of its page.
#pragma once

#include <string>

#include "train/run_history.h"

namespace aim {

// Loss, learning rate, gradient norm, samples a second, time spent fetching clips; steps from 0 to
// `last_step`.
std::string StepChartsHtml(const RunHistory& history, int64_t last_step);

// Errors of poses in mm and degrees, share of frames that cannot be decoded, PSNR: a curve a mode.
std::string ValidationChartsHtml(const RunHistory& history, int64_t last_step);

}  // namespace aim
