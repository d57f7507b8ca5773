// The UMT5 text encoder of Wan: tokens to the rows that the network's cross-attention reads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/tensor/weights.h"
#include "aim/text/text_encoder.h"
#include "aim/text/tokenizer.h"

namespace aim {

// Defaults are those of UMT5-XXL. docs/reference/wan22.md 4.1.
struct Umt5Options {
  int vocab_size = 256384;
  int dim = 4096;
  int head_dim = 64;
  int num_heads = 64;
  int ffn_dim = 10240;
  int num_layers = 24;
  int num_buckets = 32;
  int max_distance = 128;
  double eps = 1e-6;
  PromptCleaning cleaning = PromptCleaning::kActionImages;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("vocab_size", self.vocab_size, Range{1, 1 << 24}, "rows of the token embedding");
    visit("dim", self.dim, Range{1, 65536}, "width of the residual stream and of the features");
    visit("head_dim", self.head_dim, Range{1, 1024}, "width of an attention head");
    visit("num_heads", self.num_heads, Range{1, 1024}, "attention heads");
    visit("ffn_dim", self.ffn_dim, Range{1, 1 << 20}, "width inside the feed-forward network");
    visit("num_layers", self.num_layers, Range{1, 256}, "blocks");
    visit("num_buckets", self.num_buckets, Range{4, 4096},
          "relative positions told apart; half of them ahead, even");
    visit("max_distance", self.max_distance, Range{2, 1 << 20},
          "tokens from which on distances share a bucket; more than num_buckets / 4");
    visit("eps", self.eps, Range{1e-12, 1e-2}, "added to mean squares in every norm");
    visit("cleaning", self.cleaning, Any{},
          "of prompts: action_images drops '.' and turns '_' into a space, wan does neither; both "
          "then clean as Wan's pipeline");
  }
  void Validate() const;  // throws ConfigError
};

// Names of the release (docs/reference/wan22.md 4.5).
ShapeMap Umt5WeightShapes(const Umt5Options& options);

// Which of the `num_buckets` a key `distance` tokens behind (below 0) or ahead of its query falls
// into. docs/reference/wan22.md 4.3.
int64_t PositionBucket(int64_t distance, const Umt5Options& options);

//   token_ids  [B, L] int64, 0 = padding
//   mask       [B, L] bool, true for tokens; tokens do not attend to others
//   returns    [B, L, dim] in the type of the weights, zero where mask is false
//
// All on the device of the weights. Norms and softmax compute in float32, all else in the type of
// the weights, rounding as the reference does (attention scores too). Not random. Throws InputError
// for wrong shapes and types, and for an id outside the vocabulary. Formulas:
// docs/reference/wan22.md 4.2.
at::Tensor Umt5Forward(const Umt5Options& options, const WeightMap& weights,
                       const at::Tensor& token_ids, const at::Tensor& mask);

// The same with the mask token_ids != 0.
at::Tensor Umt5Forward(const Umt5Options& options, const WeightMap& weights,
                       const at::Tensor& token_ids);

struct Umt5Weights;

// Cleans a prompt as in training (CleanPrompt if options.cleaning is action_images, then
// CleanPromptText: docs/reference/method.md 2.2 and 8.12, docs/reference/wan22.md 4.6), cuts it
// into tokens and encodes those there are: rows past them are zero, not computed.
class Umt5Encoder : public TextEncoder {
 public:
  using Loader = std::function<WeightMap()>;
  static constexpr int64_t kMaxTokens = 512;  // of the released models

  // `load` is called for the first prompt and again for the first one after ReleaseWeights; it
  // gives weights named as in Umt5WeightShapes, of one type and on one device. `max_tokens` counts
  // </s>. Prompts are encoded on `device`, without one where the weights lie; weights that lie
  // elsewhere are brought there a layer at a time. Throws ConfigError for options, and for a
  // tokenizer with more ids than the vocabulary has.
  Umt5Encoder(const Umt5Options& options, Loader load, Tokenizer tokenizer,
              int64_t max_tokens = kMaxTokens, std::optional<c10::Device> device = std::nullopt);

  // Keeps `weights`: ReleaseWeights has nothing to give back.
  Umt5Encoder(const Umt5Options& options, const WeightMap& weights, Tokenizer tokenizer,
              int64_t max_tokens = kMaxTokens);

  at::Tensor Encode(const std::string& prompt) const override;
  std::vector<int64_t> TokenIds(const std::string& prompt) const;

  // Umt5Forward with the weights of this encoder: [B, L] int64 -> [B, L, dim] in their type.
  at::Tensor Features(const at::Tensor& token_ids) const;

  // Thread-safe: a prompt that is being encoded keeps the weights until it is done.
  void ReleaseWeights() const override;

  int64_t max_tokens() const override { return max_tokens_; }
  int64_t dim() const override { return options_.dim; }

 private:
  std::shared_ptr<const Umt5Weights> Weights() const;

  Umt5Options options_;
  Loader load_;
  Tokenizer tokenizer_;
  int64_t max_tokens_;
  std::optional<c10::Device> device_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Umt5Weights> weights_;
};

}  // namespace aim
