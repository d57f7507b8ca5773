// aim-model forward: one part of a model on given tensors, for comparison with other programs.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/recipe/numerics.h"

namespace aim {

enum class ForwardPart { kUnset, kDit, kVaeEncode, kVaeDecode, kText };
constexpr auto WordsOf(ForwardPart) {
  using enum ForwardPart;
  return WordTable<ForwardPart, 5>{{{kUnset, ""},
                                    {kDit, "dit"},
                                    {kVaeEncode, "vae-encode"},
                                    {kVaeDecode, "vae-decode"},
                                    {kText, "text"}}};
}

struct ForwardOptions {
  std::string model;
  ForwardPart part = ForwardPart::kUnset;
  std::string inputs;
  std::string prompt;
  ModelDtype dtype = ModelDtype::kAuto;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("model", self.model, Any{}, "folder of the model bundle");
    visit("part", self.part, Any{}, "which part of it to run");
    visit("inputs", self.inputs, Any{}, "safetensors file with the tensors that the part reads");
    visit("prompt", self.prompt, Any{}, "text: tokenise this in place of token_ids");
    visit("dtype", self.dtype, Any{},
          "of weights and matrix products; auto: f32; fp8: as in the tools");
  }
  void Validate() const;  // throws ConfigError
};

struct ForwardReport {
  ForwardPart part = ForwardPart::kUnset;
  std::map<std::string, std::vector<int64_t>> shapes;  // of the tensors written, by name
};
nlohmann::json ToJson(const ForwardReport& report);  // {"part", "tensors": {name: shape}}

// Reads `inputs`, runs the part on run.device() and writes run.out(), a safetensors file of
// float32:
//
//   dit         latents [B, C, F, h, w], timestep [B] or [B, N], text [B, L, D] (attended as it is,
//               padded or not), camera [B, F, 2 C, h, w] if the model takes cameras  -> velocity
//               (clean, for a model that predicts that)
//   vae-encode  video [B, 3, T, H, W] in [-1, 1]  -> latent [B, C, F, h, w], normalised mean
//   vae-decode  latent  -> video, clamped to [-1, 1]
//   text        token_ids [B, L] int64, or the prompt  -> features [B, L, D], zero at padding
//
// Throws ConfigError, and InputError naming the file and tensor that is missing or has the wrong
// shape or type.
ForwardReport RunForward(const ForwardOptions& options, RunContext& run);

}  // namespace aim
