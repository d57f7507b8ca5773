// What a model can do on clips it has not seen, in millimetres, degrees and decibels.
#pragma once

#include <functional>
#include <vector>

#include "aim/diffusion/generate.h"
#include "aim/metrics/clip_quality.h"

namespace aim {

// Shown what became of clip `index`, before it is let go.
using GeneratedSink = std::function<void(size_t index, const GeneratedClip& generated)>;

// Runs `mode` on every clip (all poses and frames known) and compares with the truth.
std::vector<ClipQuality> MeasureClips(const GeneratorModel& model, const Mode& mode,
                                      const std::vector<Clip>& clips,
                                      const GenerateOptions& options, const Rng& rng,
                                      const GeneratedSink& sink = {});

// MeasureClips and SummarizeQuality.
QualitySummary ValidateMode(const GeneratorModel& model, const Mode& mode,
                            const std::vector<Clip>& clips, const GenerateOptions& options,
                            const Rng& rng);

}  // namespace aim
