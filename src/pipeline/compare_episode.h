// One episode in two data sets: scores of its pictures and poses.
#pragma once

#include "aim/data/data_set.h"
#include "aim/pipeline/compare.h"
#include "pipeline/picture_measure.h"

namespace aim {

// Throws InputError naming the episode where the two cannot be compared. `features` are appended
// to when all of it was read.
EpisodeComparison CompareEpisode(const CompareOptions& options, const MetricNetworks& networks,
                                 OpenEpisode& judged, OpenEpisode& truth, ClipFeatures& features);

}  // namespace aim
