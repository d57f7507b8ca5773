#include "pipeline/clip_rate.h"

#include <cmath>

#include "aim/base/log.h"
#include "aim/base/options.h"

namespace aim {
namespace {

constexpr double kModelRateTolerance = 0.02;

}  // namespace

bool IsModelRate(double fps, double model_fps) {
  return std::abs(fps / model_fps - 1) <= kModelRateTolerance;
}

void WarnOfRate(const std::string& name, double fps, double model_fps) {
  LogWarning(name + " has " + ToText(fps) + " frames a second, the model was trained at " +
             ToText(model_fps) + "; frames are taken one by one");
}

}  // namespace aim
