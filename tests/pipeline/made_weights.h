// Weights of the metric networks for machines without those of their packages, as
// scripts/make_metric_fixture.py makes them.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <string>

#include "aim/tensor/weights.h"
#include "support/made_numbers.h"

namespace aim::testing {

inline at::Tensor MadeWeight(const std::string& name, const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  std::vector<double> values = HashedNumbers(NameSeed(name), static_cast<size_t>(count));
  const double fan_in = static_cast<double>(count / shape.back());
  for (double& value : values) {
    if (name.ends_with("var")) {
      value = 0.5 + value;
    } else if (name.starts_with("NetLinLayer")) {
      value /= static_cast<double>(shape[2]);
    } else if (name.ends_with("kernel")) {
      value = (2 * value - 1) * std::sqrt(6 / fan_in);
    } else {
      value = 0.1 * (2 * value - 1);
    }
  }
  return at::tensor(values, at::kDouble).to(at::kFloat).reshape(shape);
}

inline WeightMap MadeWeights(const ShapeMap& shapes) {
  WeightMap weights;
  for (const auto& [name, shape] : shapes) weights[name] = MadeWeight(name, shape);
  return weights;
}

}  // namespace aim::testing
