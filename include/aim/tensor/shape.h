// Shape contracts of tensors, checked where a tensor enters a function.
#pragma once

#include <ATen/core/Tensor.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "aim/base/text.h"

namespace aim {

// One expected extent: a number, or a letter ("B", "F") that stands for any size. A letter used
// twice must have one size.
struct Dim {
  template <std::integral Integer>
  Dim(Integer extent) : size(static_cast<int64_t>(extent)) {}  // NOLINT
  Dim(const char* name) : letter(name) {}                      // NOLINT

  int64_t size = -1;  // below zero: any
  const char* letter = nullptr;
};

// Throws InputError "latents is [1, 3, 4]; expected [B, 4, F, h, w]" unless `tensor` is defined and
// has this shape:  CheckShape(latents, {"B", 4, "F", "h", "w"}, "latents").
void CheckShape(const at::Tensor& tensor, std::initializer_list<Dim> expected,
                const std::string& name);

// Throws InputError "latents is float16; expected float32".
void CheckDtype(const at::Tensor& tensor, at::ScalarType expected, const std::string& name);

}  // namespace aim
