// What training and labelling at a size take, on paper. docs/scaling.md shows the tables, says
// where each number comes from and holds the formulas against what was measured.
#pragma once

#include <cstdint>
#include <string>

#include "aim/model/dit_options.h"
#include "aim/train/training_memory.h"

namespace aim {

// Multiplications and additions of one forward pass, as 2 x multiply-adds, in 1e12: matrix products
// of each token, camera projectors among them, and attention over all tokens and the text.
double ForwardTflop(const DitOptions& dit, int64_t num_tokens, int64_t text_length);

// What is given, with its source in docs/scaling.md.
struct ScalingGiven {
  int64_t num_tokens = 11264;  // 512 x 512, 41 frames, 2 views
  int64_t text_length = 512;
  double peak_tflop_s = 989;  // of a card, dense bf16
  double used_share = 0.45;   // of that, in training
  double near_gb_s = 300;     // a card's links inside a host
  double far_gb_s = 40;       // and between hosts
  int cards_per_host = 8;
  int64_t samples_per_batch = 32;
  int64_t num_samples = 3'200'000;
};

// One step of `num_cards` at ZeRO stage `zero`, each block computed again in the backward pass.
struct StepTime {
  int64_t samples_per_card = 0;
  double compute_s = 0;
  double exchange_s = 0;  // gradients and weights in float32, none of it hidden

  double total_s() const { return compute_s + exchange_s; }
};
StepTime EstimateStep(const DitOptions& dit, const ScalingGiven& given, int num_cards, int zero,
                      int64_t num_trained);

// The tables of docs/scaling.md, in Markdown.
std::string ScalingTables(const DitOptions& dit, const ScalingGiven& given);

}  // namespace aim
