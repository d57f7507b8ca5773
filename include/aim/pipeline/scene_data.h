// The scenes of recorded episodes, for a model that imagines what happens in them.
#pragma once

#include <functional>
#include <memory>

#include "aim/base/run_context.h"
#include "aim/control/env.h"
#include "aim/policy/model_env.h"
#include "aim/recipe/imagination_options.h"

namespace aim {

// One scene an episode, in the order of the data set: its first frame, its cameras then, its prompt
// and the pose it begins with; its commands where it has one a frame at the model's rate. Episodes
// that are damaged, have other views than the model, no calibration or no pose are left out and
// named. Throws InputError if none is left, ConfigError for views that no episode has.
SceneSet ScenesOfData(const ImaginationOptions& options, const BundleConfig& config);

// Makes environments in which `model` imagines the scenes that `options` name; all share model and
// scenes. Throws what ScenesOfData and MakeModelEnv throw.
std::function<std::unique_ptr<Env>(const EnvOptions&)> ImaginedEnvs(
    const ImaginationOptions& options, const std::shared_ptr<SharedModel>& model);

}  // namespace aim
