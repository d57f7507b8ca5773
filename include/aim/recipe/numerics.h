// In which types a network computes.
#pragma once

#include "aim/base/words.h"

namespace aim {

// Of weights and matrix products. kAuto is decided by the device.
enum class ComputeDtype { kAuto, kF32, kBf16 };
constexpr auto WordsOf(ComputeDtype) {
  using enum ComputeDtype;
  return WordTable<ComputeDtype, 3>{{{kAuto, "auto"}, {kF32, "f32"}, {kBf16, "bf16"}}};
}

// Of a network that is only run. kFp8: products of eight-bit floats where model/dit_fp8.h says so,
// bfloat16 elsewhere.
enum class ModelDtype { kAuto, kF32, kBf16, kFp8 };
constexpr auto WordsOf(ModelDtype) {
  using enum ModelDtype;
  return WordTable<ModelDtype, 4>{{{kAuto, "auto"}, {kF32, "f32"}, {kBf16, "bf16"}, {kFp8, "fp8"}}};
}

// What is computed in which type. docs/reference/wan22.md 6.1. With float32 products both give the
// same.
enum class Numerics {
  // Official: matrix products and attention in the compute type; timestep, modulation, norms, RoPE
  // and the residual stream in float32.
  kAccurate,
  // As the released weights were trained (DiffSynth): everything, the residual stream too, is
  // rounded to the compute type after each operation; sums inside a norm are float32.
  kTrained,
};
constexpr auto WordsOf(Numerics) {
  using enum Numerics;
  return WordTable<Numerics, 2>{{{kAccurate, "accurate"}, {kTrained, "trained"}}};
}

}  // namespace aim
