// The parts of PrepareContext, for a forward pass that makes camera tokens block by block.
#pragma once

#include "aim/model/dit.h"

namespace aim {

// PrepareContext but for the camera tokens.
DitContext PrepareWithoutCamera(const Dit& dit, const CanvasLayout& layout, const at::Tensor& text);

// Throws InputError unless `camera` is what PrepareContext takes for `batch` samples.
void CheckCamera(const DitOptions& options, const CanvasLayout& layout, int64_t batch,
                 const at::Tensor& camera);

// Those of one block, [B, F * P, dim].
at::Tensor CameraTokens(const Dit& dit, const DitBlockWeights& block, const at::Tensor& camera);

}  // namespace aim
