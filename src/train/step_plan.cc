#include "aim/train/step_plan.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"
#include "aim/train/schedule.h"

namespace aim {
namespace {

// Clips in the order of one epoch.
std::vector<int64_t> Permutation(uint64_t seed, int64_t epoch, int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  Rng rng = Rng(seed).Derive(static_cast<uint64_t>(epoch), "epoch");
  for (int64_t i = count - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(rng.UniformInt(i + 1))]);
  return order;
}

// Sample `number` of the run, of a clip with that mix.
SampleDraw DrawSample(const TrainOptions& options, const ModeMix& mix, const NoiseLevels& levels,
                      uint64_t seed, int64_t number) {
  Rng rng = Rng(seed).Derive(static_cast<uint64_t>(number), "sample");
  SampleDraw draw;
  draw.mode = &mix.Draw(rng.Uniform());
  draw.noise = levels.Draw(rng);
  draw.drop_text = rng.Uniform() < options.text_dropout;
  draw.first_pose_given =
      !draw.mode->first_pose_optional || rng.Uniform() >= options.first_pose_dropout;
  draw.noise_seed = rng.Next();
  return draw;
}

}  // namespace

StepPlan PlanStep(const TrainOptions& options, uint64_t seed, int64_t train_step,
                  const DrawnClips& clips, int rank, int num_ranks) {
  AIM_CHECK(clips.count > 0 && rank >= 0 && rank < num_ranks);
  StepPlan plan{train_step, LearningRate(options, train_step), {}, {}};
  const int64_t batch = options.batch_size;
  const int64_t first = train_step * batch;
  const NoiseLevels levels(options);
  std::vector<int64_t> order;
  int64_t order_epoch = -1;
  for (int64_t number = first; number < first + batch; ++number) {
    if (number / clips.count != order_epoch) {
      order_epoch = number / clips.count;
      order = Permutation(seed, order_epoch, clips.count);
    }
    const int64_t clip = order[static_cast<size_t>(number % clips.count)];
    const ModeMix& mix = clips.mix ? clips.mix(clip) : options.mix;
    plan.draws.push_back(DrawSample(options, mix, levels, seed, number));
    plan.draws.back().clip = clip;
  }
  std::vector<Microbatch> all = SplitIntoMicrobatches(plan.draws, options.microbatch);
  for (auto i = static_cast<size_t>(rank); i < all.size(); i += static_cast<size_t>(num_ranks))
    plan.microbatches.push_back(std::move(all[i]));
  return plan;
}

std::vector<Microbatch> SplitIntoMicrobatches(const std::vector<SampleDraw>& draws,
                                              int microbatch) {
  std::map<std::tuple<bool, bool, bool>, std::vector<SampleDraw>> groups;
  for (const SampleDraw& draw : draws) {
    groups[{draw.mode->action.present, draw.mode->video.present, draw.mode->video.first_only}]
        .push_back(draw);
  }
  std::vector<Microbatch> parts;
  for (const auto& [key, group] : groups) {
    const int64_t size = static_cast<int64_t>(group.size());
    const int64_t num_parts = (size + microbatch - 1) / microbatch;
    for (int64_t i = 0; i < num_parts; ++i) {
      parts.emplace_back(group.begin() + i * size / num_parts,
                         group.begin() + (i + 1) * size / num_parts);
    }
  }
  std::stable_sort(parts.begin(), parts.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return parts;
}

std::string IdleRanks(const TrainOptions& options, int num_ranks) {
  const int least = (options.batch_size + options.microbatch - 1) / options.microbatch;
  if (least >= num_ranks) return "";
  const std::string batch = "train.batch_size is " + std::to_string(options.batch_size);
  const std::string ranks = CountText(num_ranks, "rank");
  if (options.batch_size < num_ranks) {
    return batch + ": of " + ranks + " no more than so many have work in a step; raise it or " +
           "start fewer";
  }
  return batch + " in microbatches of up to " + std::to_string(options.microbatch) + ": " + ranks +
         " do not all have work in each step; lower train.microbatch to " +
         std::to_string(options.batch_size / num_ranks);
}

}  // namespace aim
