// What turns an instruction into the rows that the network's cross-attention reads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "aim/base/words.h"

namespace aim {

// `const` methods are thread-safe.
class TextEncoder {
 public:
  virtual ~TextEncoder() = default;

  // [max_tokens(), dim()] float32 on the CPU; rows past the prompt's end are zero. A prompt that is
  // too long loses its end. "" is the null prompt of guidance.
  virtual at::Tensor Encode(const std::string& prompt) const = 0;

  // Gives memory back that the next call takes again; an encoder that is small keeps it.
  virtual void ReleaseWeights() const {}

  virtual int64_t max_tokens() const = 0;
  virtual int64_t dim() const = 0;
};

// What a model's training did to prompts before they were cut into tokens. docs/reference/method.md
// 2.2, docs/reference/wan22.md 4.6.
enum class PromptCleaning { kActionImages, kWan };
constexpr auto WordsOf(PromptCleaning) {
  return WordTable<PromptCleaning, 2>{
      {{PromptCleaning::kActionImages, "action_images"}, {PromptCleaning::kWan, "wan"}}};
}

// Prompts as they were cleaned in training: "." goes, "_" becomes a space, then one pass turns
// pairs of spaces into single ones. docs/reference/method.md 2.2.
std::string CleanPrompt(const std::string& prompt);

}  // namespace aim
