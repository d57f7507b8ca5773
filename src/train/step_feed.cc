#include "train/step_feed.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "aim/tensor/device.h"

namespace aim {
namespace {

template <class Change>
EncodedBatch Each(const EncodedBatch& batch, const Change& change) {
  return {change(batch.latents), batch.camera.defined() ? change(batch.camera) : at::Tensor(),
          change(batch.text)};
}

std::vector<int64_t> ClipsOf(const Microbatch& part) {
  std::vector<int64_t> clips;
  for (const SampleDraw& draw : part) clips.push_back(draw.clip);
  return clips;
}

int64_t BytesOf(const EncodedBatch& batch) {
  const auto bytes = [](const at::Tensor& x) {
    return x.defined() ? static_cast<int64_t>(x.nbytes()) : 0;
  };
  return bytes(batch.latents) + bytes(batch.camera) + bytes(batch.text);
}

// The whole cache, some clips at a time.
EncodedBatch AllOf(const LatentCache& cache, c10::Device device) {
  constexpr int64_t kClipsAtOnce = 128;
  EncodedBatch all = Each(cache.GetStored({0}, false), [&](const at::Tensor& one) {
    std::vector<int64_t> shape = one.sizes().vec();
    shape[0] = cache.size();
    return at::empty(shape, one.options().device(device));
  });
  for (int64_t first = 0; first < cache.size(); first += kClipsAtOnce) {
    std::vector<int64_t> clips(static_cast<size_t>(std::min(kClipsAtOnce, cache.size() - first)));
    std::iota(clips.begin(), clips.end(), first);
    const EncodedBatch some = cache.GetStored(clips, !device.is_cpu());
    const auto put = [&](const at::Tensor& from, const at::Tensor& into) {
      into.narrow(0, first, from.size(0)).copy_(from, /*non_blocking=*/true);
    };
    put(some.latents, all.latents);
    if (some.camera.defined()) put(some.camera, all.camera);
    put(some.text, all.text);
  }
  return all;
}

}  // namespace

StepFeed::StepFeed(LatentCache cache, c10::Device device, int64_t most_resident_bytes, Planner plan)
    : cache_(std::move(cache)), device_(device), plan_(std::move(plan)) {
  const int64_t of_clip = BytesOf(cache_.GetStored({0}, false));
  if (of_clip <= most_resident_bytes / cache_.size()) all_ = AllOf(cache_, device_);
}

StepFeed::Step StepFeed::Prepare(int64_t train_step) const {
  Step step{plan_(train_step), {}};
  if (is_resident()) return step;
  for (const Microbatch& part : step.plan.microbatches)
    step.batches.push_back(cache_.GetStored(ClipsOf(part), !device_.is_cpu()));
  return step;
}

StepFeed::Step StepFeed::Take(int64_t train_step) {
  Step step;
  if (next_.valid()) step = next_.get();
  if (train_step != std::exchange(next_step_, train_step + 1)) step = Prepare(train_step);
  next_ = std::async(std::launch::async, [this, next = next_step_] {
    at::set_num_threads(1);  // else a team of threads would be made each step
    return Prepare(next);
  });
  return step;
}

EncodedBatch StepFeed::BatchOf(const Step& step, size_t microbatch) const {
  if (!is_resident()) {
    return Each(step.batches[microbatch],
                [&](const at::Tensor& x) { return x.to(device_, /*non_blocking=*/true); });
  }
  const at::Tensor clips =
      CopyQueued(at::tensor(ClipsOf(step.plan.microbatches[microbatch])), device_);
  return Each(all_, [&](const at::Tensor& x) { return x.index_select(0, clips); });
}

}  // namespace aim
