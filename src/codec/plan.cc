#include "aim/codec/plan.h"

#include <vector>

#include "aim/base/summary.h"

namespace aim {

double MedianConfidence(std::span<const DecodedPose> frames) {
  std::vector<double> confidences;
  for (const DecodedPose& frame : frames)
    confidences.push_back(frame.decodable ? frame.confidence : 0.0);
  return Median(std::move(confidences));
}

}  // namespace aim
