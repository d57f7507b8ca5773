// Low-rank adapters of the DiT's block matrices: W + (alpha / rank) B A. Hu et al. 2021, "LoRA:
// Low-Rank Adaptation of Large Language Models", arXiv 2106.09685, section 4.1.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/rng.h"
#include "aim/model/dit.h"

namespace aim {

struct LoraOptions {
  int rank = 0;
  double alpha = 0;
  std::vector<std::string> targets = {"self_attn", "cross_attn", "ffn"};

  double scale() const { return alpha > 0 && rank > 0 ? alpha / rank : 1; }

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("rank", self.rank, Range{0, 4096},
          "train adapters of this rank in place of the matrices themselves; 0 = none");
    visit("alpha", self.alpha, Range{0, 65536},
          "adapters are added with weight alpha / rank; 0 = rank");
    visit("targets", self.targets, Any{},
          "matrices that get one: whole words of their names, such as self_attn, ffn.0, blocks.3");
  }
};

// What the names of an adapter's two factors end in, behind that of their matrix; as PEFT's.
inline constexpr std::string_view kLoraA = ".lora_A.weight";
inline constexpr std::string_view kLoraB = ".lora_B.weight";

// The matrix that a factor belongs to; nothing for another weight.
std::optional<std::string> LoraMatrix(const std::string& name);

// An adapter. Weights are named "blocks.0.self_attn.q.lora_A.weight" [rank, in] and
// "....lora_B.weight" [out, rank] behind the matrix that they change; ranks may differ.
struct Lora {
  WeightMap weights = {};
  double scale = 1;
};

// True if `word`, dots included, stands in `name` between dots or its ends: "ffn.0" in
// "blocks.1.ffn.0", not in "blocks.1.ffn.01".
bool HoldsWord(const std::string& name, const std::string& word);

// Those of `names` that hold one of the words. Throws ConfigError naming `key` for a word that none
// of them holds.
std::vector<std::string> NamesThatHold(const std::vector<std::string>& names,
                                       const std::vector<std::string>& words,
                                       const std::string& key);

// Matrices of all blocks that the targets name. Throws ConfigError for a target that names none.
std::vector<std::string> LoraTargets(const DitOptions& dit, const LoraOptions& options);

// Name and shape of every factor.
ShapeMap LoraShapes(const DitOptions& dit, const LoraOptions& options);

// A new adapter, which changes nothing yet: A uniform in +-1 / sqrt(in), B zero, as PEFT begins.
Lora InitialLora(const DitOptions& dit, const LoraOptions& options, const Rng& rng);

// Throws InputError, naming `where`, for what is no pair of factors of a matrix of `dit`: missing
// halves, unknown names, other shapes (all of them).
void CheckLora(const DitOptions& dit, const Lora& lora, const std::string& where);

// Forward passes add the adapter, whose tensors are shared: differentiable in them.
void AttachLora(Dit& dit, const Lora& lora);

// The matrix called `name` ("blocks.0.self_attn.q.weight") with its adapter, if it has one: added
// in float32, of the type and device of `weight`.
at::Tensor MergedWeight(const std::string& name, const at::Tensor& weight, const Lora& lora);

}  // namespace aim
