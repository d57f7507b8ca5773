#include "aim/diffusion/step_cache.h"

#include <ATen/ATen.h>

namespace aim {

at::Tensor CosineSkip::Direction(const at::Tensor& prediction) const {
  const at::Tensor values = prediction.to(at::kFloat);
  return (counted_.defined() ? values.masked_fill(~counted_, 0) : values).flatten(1);
}

bool CosineSkip::ShouldRun(bool must_run) {
  if (must_run) countdown_ = 0;
  if (must_run || !before_.defined()) return true;
  if (countdown_ > 1) {
    --countdown_;
    return false;
  }
  if (countdown_ == 1) {
    countdown_ = 0;
    return true;
  }
  const double cosine =
      at::cosine_similarity(Direction(before_), Direction(latest_)).mean().item<double>();
  if (cosine > 0.95) {
    countdown_ = 4;
  } else if (cosine > 0.93) {
    countdown_ = 2;
  }
  return countdown_ == 0;
}

void CosineSkip::Add(const at::Tensor& prediction) {
  before_ = latest_;
  latest_ = prediction;
}

at::Tensor FirstBlockCache::Forward(const Dit& dit, const at::Tensor& latents,
                                    const at::Tensor& timestep, const DitContext& context,
                                    bool must_run) {
  DitState state = BeginForward(dit, latents, timestep, context);
  const at::Tensor first = RunBlocks(dit, state, context, 0, 1);
  const at::Tensor change = first - state.tokens;
  const auto is_near = [&] {
    const at::Tensor distance = (change - first_change_).abs().mean() / first_change_.abs().mean();
    return distance.item<double>() < threshold_;
  };
  if (!must_run && first_change_.defined() && is_near()) {
    state.tokens = first + other_change_;
    return FinishForward(dit, state, context);
  }
  state.tokens = first;
  state.tokens = RunBlocks(dit, state, context, 1, dit.options.num_layers);
  first_change_ = change;
  other_change_ = state.tokens - first;
  ++num_whole_;
  return FinishForward(dit, state, context);
}

}  // namespace aim
