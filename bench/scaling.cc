#include "scaling.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace aim {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;

std::string Fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

std::string Gib(int64_t bytes) { return Fixed(static_cast<double>(bytes) / kGiB, 0); }

TrainOptions Options(int zero) {
  TrainOptions options;
  options.dtype = ComputeDtype::kBf16;
  options.num_workers = options.microbatch = 1;
  options.zero = zero;
  options.gradient_checkpointing = true;
  options.async_save = false;  // the copy that it holds is memory of the host
  return options;
}

int64_t PerRank(const DitOptions& dit, const TrainOptions& options, int num_cards,
                const SampleSize& sample = {}) {
  return EstimateMemory(dit, options, sample, {.size = num_cards, .local_size = 1}).total();
}

SampleSize SampleOf(const ScalingGiven& given) {
  return {.tokens = given.num_tokens, .text_rows = given.text_length};
}

std::string MemoryTable(const DitOptions& dit, const ScalingGiven& given) {
  std::string text =
      "| cards | zero 0 | zero 1 | zero 2 | zero 2 and one sample, recomputed | fits 80 GB | fits "
      "141 GB |\n|---|---|---|---|---|---|---|\n";
  for (int cards = 1; cards <= 1024; cards *= 2) {
    const int64_t needed = PerRank(dit, Options(2), cards, SampleOf(given));
    text += "| " + std::to_string(cards);
    for (const int zero : {0, 1, 2}) text += " | " + Gib(PerRank(dit, Options(zero), cards));
    text += " | " + Gib(needed);
    // A tenth for the program, the allocator and the buckets that are sent.
    for (const double gb : {80.0, 141.0})
      text += static_cast<double>(needed) <= 0.9 * gb * 1e9 ? " | yes" : " | no";
    text += " |\n";
  }
  return text;
}

std::string PartsTable(const DitOptions& dit, const ScalingGiven& given) {
  std::string text = "| what | GiB |\n|---|---|\n";
  const auto row = [&](const std::string& what, int64_t bytes) {
    text += "| " + what + " | " + Fixed(static_cast<double>(bytes) / kGiB, 1) + " |\n";
  };
  TrainOptions options = Options(0);
  row("activations of one sample, blocks recomputed",
      EstimateMemory(dit, options, SampleOf(given)).activations);
  options.gradient_checkpointing = false;
  row("activations of one sample, all kept",
      EstimateMemory(dit, options, SampleOf(given)).activations);
  row("one card, whole network", PerRank(dit, options, 1));
  options.trained = {"cam_encoder", "projector", "self_attn", "text_embedding"};
  row("one card, the release's partial set", PerRank(dit, options, 1));
  options.trained = {};
  options.lora.rank = 16;
  row("one card, an adapter of rank 16", PerRank(dit, options, 1));
  return text;
}

std::string TimeTable(const DitOptions& dit, const ScalingGiven& given) {
  const int64_t num_trained = EstimateMemory(dit, Options(0)).num_trained;
  std::string text =
      "| cards | zero | samples a card | compute s | exchange s | exchange % | samples/s | days "
      "for "
      "3.2 million |\n|---|---|---|---|---|---|---|---|\n";
  for (int cards = 4; cards <= 1024; cards *= 2) {
    const StepTime step = EstimateStep(dit, given, cards, 2, num_trained);
    const double samples_s = static_cast<double>(step.samples_per_card) * cards / step.total_s();
    text += "| " + std::to_string(cards) + " | 2 | " + std::to_string(step.samples_per_card) +
            " | " + Fixed(step.compute_s, 2) + " | " + Fixed(step.exchange_s, 2) + " | " +
            Fixed(100 * step.exchange_s / step.total_s(), 0) + " | " + Fixed(samples_s, 1) + " | " +
            Fixed(static_cast<double>(given.num_samples) / samples_s / 86400, 1) + " |\n";
  }
  return text;
}

// Measured on one H200 (docs/results.md): a forward pass, and decoding four videos; encoding two is
// taken to be as long as decoding two.
constexpr double kForwardS = 0.253;
constexpr double kTwoVideosS = 1.9 / 2;

std::string LabelTable() {
  constexpr double kEpisodes = 1e6;
  constexpr int kFrames = 100, kClipFrames = 41;  // an episode of 20 s at the model's 5 a second
  constexpr int kClips = (kFrames - 2) / (kClipFrames - 1) + 1;  // neighbours share a frame
  std::string text =
      "| steps | passes a clip | s a clip | card-hours a million episodes |\n|---|---|---|---|\n";
  for (const auto& [steps, passes] : {std::pair{8, 8}, {50, 50}, {50, 100}}) {
    const double clip_s = passes * kForwardS + 2 * kTwoVideosS;
    const char* guidance = passes == steps ? "" : ", guided";
    text += "| " + std::to_string(steps) + guidance + " | " + std::to_string(passes) + " | " +
            Fixed(clip_s, 1) + " | " + Fixed(kEpisodes * kClips * clip_s / 3600, 0) + " |\n";
  }
  return text;
}

}  // namespace

double ForwardTflop(const DitOptions& dit, int64_t num_tokens, int64_t text_length) {
  const double dim = dit.dim;
  const auto tokens = static_cast<double>(num_tokens);
  const double products = tokens * dim * (7 * dim + 2.0 * dit.ffn_dim);
  const double attention = 2 * tokens * (tokens + static_cast<double>(text_length)) * dim;
  return 2e-12 * dit.num_layers * (products + attention);
}

StepTime EstimateStep(const DitOptions& dit, const ScalingGiven& given, int num_cards, int zero,
                      int64_t num_trained) {
  StepTime step;
  step.samples_per_card = std::max<int64_t>(1, given.samples_per_batch / num_cards);
  // Forward, the same again in the backward pass, which takes two.
  const double sample_tflop = 4 * ForwardTflop(dit, given.num_tokens, given.text_length);
  step.compute_s = static_cast<double>(step.samples_per_card) * sample_tflop /
                   (given.peak_tflop_s * given.used_share);
  // To all: there and back. To owners: gradients there, weights back; at stage 2 gradients as often
  // as there are samples.
  const double times = zero < 2 ? 2 : static_cast<double>(step.samples_per_card) + 1;
  const double others = static_cast<double>(num_cards - 1) / num_cards;
  const double gb_s = num_cards <= given.cards_per_host ? given.near_gb_s : given.far_gb_s;
  step.exchange_s = times * others * 4e-9 * static_cast<double>(num_trained) / gb_s;
  return step;
}

std::string ScalingTables(const DitOptions& dit, const ScalingGiven& given) {
  return PartsTable(dit, given) + "\n" + MemoryTable(dit, given) + "\n" + TimeTable(dit, given) +
         "\n" + LabelTable();
}

}  // namespace aim
