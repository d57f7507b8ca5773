#include "aim/text/umt5.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "aim/base/error.h"
#include "aim/tensor/shape.h"
#include "aim/text/prompt_cleaning.h"

namespace aim {

// The weights of the encoder by their place, found once when they are loaded.
struct Umt5Weights {
  struct Block {
    at::Tensor norm1;
    at::Tensor query;
    at::Tensor key;
    at::Tensor value;
    at::Tensor out;
    at::Tensor position;  // [num_buckets, heads]
    at::Tensor norm2;
    at::Tensor gate;
    at::Tensor up;
    at::Tensor down;
  };
  at::Tensor embedding;
  std::vector<Block> blocks;
  at::Tensor norm;

  // Calls visit(name, tensor, shape) for every weight; `blocks` gets one entry a layer.
  template <class Visitor>
  void ForEach(const Umt5Options& options, Visitor&& visit);
};

template <class Visitor>
void Umt5Weights::ForEach(const Umt5Options& options, Visitor&& visit) {
  using Shape = std::vector<int64_t>;
  const int64_t dim = options.dim;
  const int64_t heads = options.num_heads;
  const int64_t inner = heads * options.head_dim;
  const int64_t ffn = options.ffn_dim;
  visit(std::string("token_embedding.weight"), embedding, Shape{options.vocab_size, dim});
  blocks.resize(static_cast<size_t>(options.num_layers));
  for (size_t layer = 0; layer < blocks.size(); ++layer) {
    const std::string name = "blocks." + std::to_string(layer) + ".";
    Block& block = blocks[layer];
    visit(name + "norm1.weight", block.norm1, Shape{dim});
    visit(name + "attn.q.weight", block.query, Shape{inner, dim});
    visit(name + "attn.k.weight", block.key, Shape{inner, dim});
    visit(name + "attn.v.weight", block.value, Shape{inner, dim});
    visit(name + "attn.o.weight", block.out, Shape{dim, inner});
    visit(name + "pos_embedding.embedding.weight", block.position,
          Shape{options.num_buckets, heads});
    visit(name + "norm2.weight", block.norm2, Shape{dim});
    visit(name + "ffn.gate.0.weight", block.gate, Shape{ffn, dim});
    visit(name + "ffn.fc1.weight", block.up, Shape{ffn, dim});
    visit(name + "ffn.fc2.weight", block.down, Shape{dim, ffn});
  }
  visit(std::string("norm.weight"), norm, Shape{dim});
}

namespace {

// float16 alone: its largest number less this is where an overflowing residual is cut.
constexpr double kHalfMargin = 1000.0;
constexpr double kHalfMax = 65504.0;

at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor scale = at::rsqrt(wide.square().mean(-1, true) + eps);
  return (wide * scale).to(weight.scalar_type()) * weight;
}

// The tanh form, step by step in the type of `x`: in bfloat16 the rounding of each step counts.
at::Tensor Gelu(const at::Tensor& x) {
  if (x.scalar_type() == at::kFloat) return at::gelu(x, "tanh");
  const double scale = std::sqrt(2.0 / M_PI);
  return 0.5 * x * (1.0 + at::tanh(scale * (x + 0.044715 * at::pow(x, 3.0))));
}

at::Tensor Bounded(const at::Tensor& x) {
  if (x.scalar_type() != at::kHalf || !at::isinf(x).any().item<bool>()) return x;
  return x.clamp(-(kHalfMax - kHalfMargin), kHalfMax - kHalfMargin);
}

// [L, L] int64: bucket of key j seen from query i.
at::Tensor Buckets(int64_t length, const Umt5Options& options, c10::Device device) {
  std::vector<int64_t> by_distance;
  for (int64_t distance = 1 - length; distance < length; ++distance) {
    by_distance.push_back(PositionBucket(distance, options));
  }
  const at::Tensor position = at::arange(length, at::kLong);
  const at::Tensor index = position.unsqueeze(0) - position.unsqueeze(1) + (length - 1);
  return at::tensor(by_distance, at::kLong).index({index}).to(device);
}

Umt5Weights ResolveWeights(const Umt5Options& options, const WeightMap& named) {
  Umt5Weights weights;
  weights.ForEach(options, [&](const std::string& name, at::Tensor& weight, const auto&) {
    weight = named.at(name);
  });
  return weights;
}

// One forward: what all its layers share.
class Forward {
 public:
  // Computes where `mask` lies; weights from elsewhere are brought there a layer at a time.
  Forward(const Umt5Options& options, const Umt5Weights& weights, const at::Tensor& mask)
      : options_(options), weights_(weights), device_(mask.device()) {
    const at::Tensor& embedding = weights.embedding;
    buckets_ = Buckets(mask.size(1), options, device_);
    // [B, 1, 1, L]: added to the scores of keys that are no tokens.
    const double lowest = LowestOf(embedding.scalar_type());
    key_bias_ = at::zeros(mask.sizes(), embedding.options().device(device_))
                    .masked_fill(mask.logical_not(), lowest)
                    .unsqueeze(1)
                    .unsqueeze(1);
  }

  // [B, L] int64 -> [B, L, D]
  at::Tensor Run(const at::Tensor& token_ids) const {
    const at::Tensor ids = token_ids.to(weights_.embedding.device());
    at::Tensor x = at::embedding(weights_.embedding, ids).to(device_);
    for (const Umt5Weights::Block& stored : weights_.blocks) {
      const Umt5Weights::Block block = Here(stored);
      x = Bounded(x + Attention(block, RmsNorm(x, block.norm1, options_.eps)));
      x = Bounded(x + FeedForward(block, RmsNorm(x, block.norm2, options_.eps)));
    }
    return RmsNorm(x, weights_.norm.to(device_), options_.eps);
  }

 private:
  Umt5Weights::Block Here(Umt5Weights::Block block) const {
    for (at::Tensor* weight : {&block.norm1, &block.query, &block.key, &block.value, &block.out,
                               &block.position, &block.norm2, &block.gate, &block.up, &block.down})
      *weight = weight->to(device_);
    return block;
  }

  static double LowestOf(at::ScalarType dtype) {
    switch (dtype) {
      case at::kHalf:
        return -kHalfMax;
      case at::kBFloat16:
        return static_cast<double>(std::numeric_limits<c10::BFloat16>::lowest());
      case at::kDouble:
        return std::numeric_limits<double>::lowest();
      default:
        return static_cast<double>(std::numeric_limits<float>::lowest());
    }
  }

  // [B, heads, L, head_dim]
  at::Tensor Heads(const at::Tensor& weight, const at::Tensor& x) const {
    return at::linear(x, weight)
        .unflatten(-1, {options_.num_heads, options_.head_dim})
        .transpose(1, 2);
  }

  at::Tensor Attention(const Umt5Weights::Block& block, const at::Tensor& x) const {
    const at::Tensor query = Heads(block.query, x);
    const at::Tensor key = Heads(block.key, x);
    const at::Tensor value = Heads(block.value, x);
    const at::Tensor bias = at::embedding(block.position, buckets_)  // [L, L, heads]
                                .permute({2, 0, 1})
                                .unsqueeze(0);
    // No scaling: it is in the weights.
    const at::Tensor scores = at::matmul(query, key.transpose(2, 3)) + (bias + key_bias_);
    const at::Tensor shares = at::softmax(scores, -1, at::kFloat).to(scores.scalar_type());
    return at::linear(at::matmul(shares, value).transpose(1, 2).flatten(2), block.out);
  }

  static at::Tensor FeedForward(const Umt5Weights::Block& block, const at::Tensor& x) {
    const at::Tensor gate = Gelu(at::linear(x, block.gate));
    return at::linear(gate * at::linear(x, block.up), block.down);
  }

  const Umt5Options& options_;
  const Umt5Weights& weights_;
  c10::Device device_;
  at::Tensor buckets_;
  at::Tensor key_bias_;
};

void CheckIds(const at::Tensor& ids, int64_t vocab_size) {
  if (ids.numel() == 0) return;
  const auto lowest = ids.min().item<int64_t>();
  const auto highest = ids.max().item<int64_t>();
  if (lowest >= 0 && highest < vocab_size) return;
  throw InputError({.where = "token_ids",
                    .got = "with the id " + std::to_string(lowest < 0 ? lowest : highest),
                    .expected = "ids from 0 to " + std::to_string(vocab_size - 1),
                    .fix = "use the tokenizer of this text encoder"});
}

at::Tensor Encoded(const Umt5Options& options, const Umt5Weights& weights,
                   const at::Tensor& token_ids, const at::Tensor& mask) {
  CheckShape(token_ids, {"B", "L"}, "token_ids");
  CheckDtype(token_ids, at::kLong, "token_ids");
  CheckShape(mask, {token_ids.size(0), token_ids.size(1)}, "mask");
  CheckDtype(mask, at::kBool, "mask");
  CheckIds(token_ids, options.vocab_size);
  const c10::NoGradGuard no_grad;
  const at::Tensor features = Forward(options, weights, mask).Run(token_ids);
  return features.masked_fill(mask.logical_not().unsqueeze(-1), 0.0);
}

}  // namespace

void Umt5Options::Validate() const {
  CheckRanges(*this, "text");
  if (num_buckets % 2 != 0) {
    throw ConfigError({.where = "text.num_buckets",
                       .got = std::to_string(num_buckets),
                       .expected = "an even number",
                       .fix = "32 for UMT5"});
  }
  if (max_distance <= num_buckets / 4) {
    throw ConfigError({.where = "text.max_distance",
                       .got = std::to_string(max_distance),
                       .expected = "more than num_buckets / 4 = " + std::to_string(num_buckets / 4),
                       .fix = "128 for UMT5"});
  }
}

ShapeMap Umt5WeightShapes(const Umt5Options& options) {
  ShapeMap shapes;
  Umt5Weights().ForEach(options, [&](const std::string& name, const at::Tensor&,
                                     const auto& shape) { shapes[name] = shape; });
  return shapes;
}

int64_t PositionBucket(int64_t distance, const Umt5Options& options) {
  const int64_t half = options.num_buckets / 2;
  const int64_t exact = half / 2;
  const int64_t base = distance > 0 ? half : 0;
  const int64_t length = std::abs(distance);
  if (length < exact) return base + length;
  // The reference evaluates this in float32, where whole numbers come out whole.
  constexpr double kRounding = 1e-6;
  const double ratio = std::log(static_cast<double>(length) / static_cast<double>(exact)) /
                       std::log(options.max_distance / static_cast<double>(exact));
  const auto step =
      static_cast<int64_t>(std::floor(ratio * static_cast<double>(half - exact) + kRounding));
  return base + std::min(half - 1, exact + step);
}

at::Tensor Umt5Forward(const Umt5Options& options, const WeightMap& weights,
                       const at::Tensor& token_ids, const at::Tensor& mask) {
  return Encoded(options, ResolveWeights(options, weights), token_ids, mask);
}

at::Tensor Umt5Forward(const Umt5Options& options, const WeightMap& weights,
                       const at::Tensor& token_ids) {
  return Umt5Forward(options, weights, token_ids, token_ids != 0);
}

Umt5Encoder::Umt5Encoder(const Umt5Options& options, Loader load, Tokenizer tokenizer,
                         int64_t max_tokens, std::optional<c10::Device> device)
    : options_(options),
      load_(std::move(load)),
      tokenizer_(std::move(tokenizer)),
      max_tokens_(max_tokens),
      device_(device) {
  options.Validate();
  if (tokenizer_.vocab_size() > options.vocab_size) {
    throw ConfigError({.where = "the tokenizer",
                       .got = "of " + std::to_string(tokenizer_.vocab_size()) + " ids",
                       .expected = "at most text.vocab_size = " +
                                   std::to_string(options.vocab_size) + " of the text encoder",
                       .fix = "take both from the same release"});
  }
}

Umt5Encoder::Umt5Encoder(const Umt5Options& options, const WeightMap& weights, Tokenizer tokenizer,
                         int64_t max_tokens)
    : Umt5Encoder(options, Loader([weights] { return weights; }), std::move(tokenizer),
                  max_tokens) {}

std::shared_ptr<const Umt5Weights> Umt5Encoder::Weights() const {
  const std::lock_guard lock(mutex_);
  if (weights_ == nullptr) {
    const WeightMap weights = load_();
    CheckWeights(weights, Umt5WeightShapes(options_), "the text encoder");
    weights_ = std::make_shared<Umt5Weights>(ResolveWeights(options_, weights));
  }
  return weights_;
}

void Umt5Encoder::ReleaseWeights() const {
  const std::lock_guard lock(mutex_);
  weights_.reset();
}

std::vector<int64_t> Umt5Encoder::TokenIds(const std::string& prompt) const {
  const bool is_action_images = options_.cleaning == PromptCleaning::kActionImages;
  const std::string clean = CleanPromptText(is_action_images ? CleanPrompt(prompt) : prompt);
  return tokenizer_.Encode(clean, max_tokens_);
}

at::Tensor Umt5Encoder::Features(const at::Tensor& token_ids) const {
  return Encoded(options_, *Weights(), token_ids, token_ids != 0);
}

at::Tensor Umt5Encoder::Encode(const std::string& prompt) const {
  const std::vector<int64_t> ids = TokenIds(prompt);
  const auto count = static_cast<int64_t>(ids.size());
  at::Tensor rows = at::zeros({max_tokens_, options_.dim}, at::kFloat);
  if (count == 0) return rows;
  const std::shared_ptr<const Umt5Weights> weights = Weights();
  const c10::Device device = device_.value_or(weights->embedding.device());
  const at::Tensor tokens = at::tensor(ids, at::kLong).unsqueeze(0).to(device);
  const at::Tensor mask = at::ones_like(tokens, at::kBool);
  rows.narrow(0, 0, count).copy_(Encoded(options_, *weights, tokens, mask)[0]);
  return rows;
}

}  // namespace aim
