// Passes of the network that are left out, because the steps beside them say nearly the same.
#pragma once

#include <ATen/core/Tensor.h>

#include "aim/model/dit.h"

namespace aim {

// The release's rule: when the last two computed predictions point the same way (cosine over a
// sample's elements, batch mean), the latest one stands in for the next 4 (cosine > 0.95) or 2
// (> 0.93) steps. docs/reference/method.md 5.2.
//
// With `counted`, a mask that broadcasts to the predictions, the cosine is over the elements where
// it is true: what is given is the same in every step and makes all directions seem alike.
// docs/reference/method.md 8.18.
class CosineSkip {
 public:
  explicit CosineSkip(at::Tensor counted = {}) : counted_(std::move(counted)) {}

  // True if the network has to run in this step. Once a step, in order. `must_run` ends what was
  // being skipped.
  bool ShouldRun(bool must_run = false);

  // The prediction [B, ...] of a step that ran.
  void Add(const at::Tensor& prediction);

  // What a step that does not run uses.
  const at::Tensor& latest() const { return latest_; }

 private:
  at::Tensor Direction(const at::Tensor& prediction) const;  // [B, elements] float32

  at::Tensor counted_;
  int countdown_ = 0;
  at::Tensor latest_, before_;
};

// First-block caching: if the change that block 0 makes to the tokens is nearly that of the last
// whole pass (relative L1 distance below the threshold), the other blocks' change is taken from
// that pass too and only block 0 and the head run. One for each text (branch of guidance).
class FirstBlockCache {
 public:
  explicit FirstBlockCache(double threshold) : threshold_(threshold) {}

  // ForwardDit, or its stand-in. `must_run` asks for a whole pass.
  at::Tensor Forward(const Dit& dit, const at::Tensor& latents, const at::Tensor& timestep,
                     const DitContext& context, bool must_run);

  int num_whole() const { return num_whole_; }

 private:
  double threshold_;
  at::Tensor first_change_, other_change_;
  int num_whole_ = 0;
};

}  // namespace aim
