#include "aim/pipeline/metric_weights.h"

#include "aim/base/error.h"
#include "aim/tensor/pickled_arrays.h"

namespace aim {

WeightMap LoadMetricWeights(const std::filesystem::path& folder, const std::string& file,
                            const ShapeMap& expected) {
  const std::filesystem::path path = folder / file;
  if (!std::filesystem::exists(path)) {
    throw InputError({.where = path.string(),
                      .got = "missing",
                      .expected = "the weights of the networks behind LPIPS and FVD",
                      .fix = "get them with scripts/setup --metrics, say where they are with "
                             "--weights, or measure without them: --metrics psnr,ssim,pose"});
  }
  WeightMap weights = ReadPickledArrays(path);
  CheckMetricWeights(weights, expected, path.string());
  return weights;
}

void CheckMetricWeights(const WeightMap& weights, const ShapeMap& expected,
                        const std::string& where) {
  CheckWeights(weights, expected, where);
  CheckFinite(weights, where);
}

}  // namespace aim
