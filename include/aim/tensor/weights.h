// Parameter maps: named tensors, their checks and their fingerprint.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace aim {

// Name -> tensor. Names are those of the checkpoints the weights come from.
using WeightMap = std::map<std::string, at::Tensor>;
using ShapeMap = std::map<std::string, std::vector<int64_t>>;

ShapeMap ShapesOf(const WeightMap& weights);

// `weights` must have exactly the names and shapes of `expected`. Throws one InputError that lists
// every missing, unknown and wrongly shaped weight; `where` names the file.
void CheckWeights(const WeightMap& weights, const ShapeMap& expected, const std::string& where);

// Throws one InputError that lists every weight holding NaN or Inf.
void CheckFinite(const WeightMap& weights, const std::string& where);

// Floating-point weights as `dtype` on `device`, others only moved. Tensors that already fit are
// shared, not copied. Throws InputError naming the weights with a finite value that `dtype` cannot
// hold (beyond 65504 for float16).
WeightMap ConvertWeights(const WeightMap& weights, at::ScalarType dtype,
                         c10::Device device = c10::Device(c10::kCPU));

// 16 hexadecimal digits that depend on every name, dtype, shape and byte. Tells files apart; not
// cryptographic.
std::string Fingerprint(const WeightMap& weights);

}  // namespace aim
