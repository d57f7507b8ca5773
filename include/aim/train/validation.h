// What a model can do on clips it has not seen, in millimetres, degrees and decibels.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "aim/diffusion/generate.h"

namespace aim {

// Runs `mode` on every clip and compares with the truth. Actions: position_mm and rotation_deg
// (median, mean, p90), gripper accuracy, share not decodable. Video: PSNR of the frames after the
// first, and of a static copy of the first frame beside it.
nlohmann::json ValidateMode(const GeneratorModel& model, const Mode& mode, const std::vector<Clip>& clips,
                            const GenerateOptions& options, const Rng& rng);

}  // namespace aim
