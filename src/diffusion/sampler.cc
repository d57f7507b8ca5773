#include "aim/diffusion/sampler.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/memory.h"
#include "aim/diffusion/guidance_memory.h"
#include "aim/diffusion/scheduler.h"
#include "aim/diffusion/step_cache.h"

namespace aim {

at::Tensor NormalNoise(at::IntArrayRef shape, Rng& rng) {
  at::Tensor noise = at::empty(shape, at::kFloat);
  float* values = noise.data_ptr<float>();
  for (int64_t i = 0; i < noise.numel(); ++i) values[i] = static_cast<float>(rng.Normal());
  return noise;
}

at::Tensor TorchNoise(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed),
                   at::TensorOptions().dtype(at::kFloat));
}

namespace {

int64_t TensorBytes(const std::vector<at::Tensor>& tensors) {
  size_t bytes = 0;
  for (const at::Tensor& tensor : tensors) bytes += tensor.nbytes();
  return static_cast<int64_t>(bytes);
}

int64_t ContextBytes(const DitContext& context) {
  return TensorBytes(context.text_key) + TensorBytes(context.text_value) +
         TensorBytes(context.camera);
}

// Decides what "auto" is for a canvas under the contexts of both branches.
GuidanceMode DecideGuidanceMode(const Dit& dit, const at::Tensor& canvas, const DitContext& context,
                                const DitContext& null_context) {
  const int64_t patch = dit.options.patch;
  const int64_t num_tokens = canvas.size(2) * (canvas.size(3) / patch) * (canvas.size(4) / patch);
  const int64_t added = ForwardBytes(dit.options, num_tokens, canvas.size(0), dit.compute_dtype) +
                        ContextBytes(context) + ContextBytes(null_context);
  const GuidanceLoad load{.device = canvas.device().type(),
                          .num_tokens = canvas.size(0) * num_tokens,
                          .dim = dit.options.dim,
                          .added_bytes = added,
                          .free_bytes = FreeMemoryBytes(canvas.device())};
  const GuidanceMode mode = FittingGuidanceMode(load);
  const std::string sizes =
      MemoryText(added) + " more, " + MemoryText(load.free_bytes) + " are free";
  if (mode == GuidanceMode::kBatched) {
    LogDebug("guidance in one batch takes " + sizes);
  } else if (FillsDevice(load)) {
    LogDebug("guidance in two passes, one after the other: each fills the device with " +
             std::to_string(load.num_tokens) + " tokens");
  } else {
    LogInfo("guidance in two passes, one after the other: one batch would take " + sizes);
  }
  return mode;
}

// What the network makes of a sample, both branches of guidance combined.
class GuidedForward {
 public:
  GuidedForward(const Dit& dit, const CanvasPlan& plan, const at::Tensor& canvas,
                const Conditions& conditions, const SamplerOptions& options)
      : dit_(dit),
        options_(options),
        context_(PrepareContext(dit, plan.layout, conditions.text, conditions.camera)),
        cache_(options.passes.cache_threshold),
        second_cache_(options.passes.cache_threshold) {
    if (options.sampling.guidance <= 1.0) return;
    second_context_ = WithText(dit, context_, conditions.null_text);
    const GuidanceMode mode = options.passes.guidance_mode == GuidanceMode::kAuto
                                  ? DecideGuidanceMode(dit, canvas, context_, second_context_)
                                  : options.passes.guidance_mode;
    is_batched_ = mode == GuidanceMode::kBatched;
    if (is_batched_) second_context_ = JoinContexts(context_, second_context_);
  }

  at::Tensor Run(const at::Tensor& x, const at::Tensor& timestep, double sigma, bool must_run) {
    const bool is_guided = options_.sampling.guidance > 1.0 &&
                           options_.passes.guidance_sigma_min <= sigma &&
                           sigma <= options_.passes.guidance_sigma_max;
    if (!is_guided) return Branch(x, timestep, context_, cache_, must_run);
    at::Tensor output, null_output;
    if (is_batched_) {
      const at::Tensor both = Branch(at::cat({x, x}), at::cat({timestep, timestep}),
                                     second_context_, second_cache_, must_run);
      output = both.narrow(0, 0, x.size(0));
      null_output = both.narrow(0, x.size(0), x.size(0));
    } else {
      output = Branch(x, timestep, context_, cache_, must_run);
      null_output = Branch(x, timestep, second_context_, second_cache_, must_run);
    }
    return null_output + options_.sampling.guidance * (output - null_output);
  }

 private:
  at::Tensor Branch(const at::Tensor& x, const at::Tensor& timestep, const DitContext& context,
                    FirstBlockCache& cache, bool must_run) const {
    if (options_.passes.cache != StepCacheKind::kFirstBlock)
      return ForwardDit(dit_, x, timestep, context);
    return cache.Forward(dit_, x, timestep, context, must_run);
  }

  const Dit& dit_;
  const SamplerOptions& options_;
  bool is_batched_ = false;
  // Of the text; and of what guidance adds: the empty prompt, or both as one batch.
  DitContext context_, second_context_;
  FirstBlockCache cache_, second_cache_;
};

at::Tensor RowOf(const at::Tensor& batch, int64_t row) {
  return batch.defined() ? batch.narrow(0, row, 1) : batch;
}

}  // namespace

at::Tensor Denoise(const Dit& dit, const CanvasPlan& plan, const at::Tensor& canvas,
                   const at::Tensor& noise, const Conditions& conditions,
                   const SamplerOptions& options) {
  const at::InferenceMode guard;
  options.Validate();
  const int64_t batch = canvas.size(0);
  if (options.passes.cache != StepCacheKind::kNone && batch > 1) {
    std::vector<at::Tensor> rows;
    for (int64_t row = 0; row < batch; ++row) {
      const Conditions own{RowOf(conditions.text, row), RowOf(conditions.null_text, row),
                           RowOf(conditions.camera, row)};
      rows.push_back(Denoise(dit, plan, RowOf(canvas, row), RowOf(noise, row), own, options));
    }
    return at::cat(rows);
  }
  const at::Tensor given = GivenMask(plan);
  const at::Tensor keep = given.view({1, 1, -1, 1, 1}).to(at::kBool).to(canvas.device());
  const at::Tensor given_rows = given.unsqueeze(0).expand({batch, -1});
  const std::unique_ptr<Scheduler> scheduler =
      MakeScheduler(options.sampling, dit.options.prediction);
  GuidedForward network(dit, plan, canvas, conditions, options);
  const bool is_masked = options.passes.cache == StepCacheKind::kCosineMasked;
  const bool may_skip = is_masked || options.passes.cache == StepCacheKind::kCosine;
  CosineSkip skip(is_masked ? ~keep : at::Tensor());
  at::Tensor x = at::where(keep, canvas, noise.to(canvas.device()));
  const std::vector<float>& timesteps = scheduler->schedule().timesteps;
  const std::vector<double>& sigmas = scheduler->schedule().sigmas;
  for (size_t denoise_step = 0; denoise_step < timesteps.size(); ++denoise_step) {
    const bool is_end = denoise_step == 0 || denoise_step + 1 == timesteps.size();
    at::Tensor output;
    if (may_skip && !skip.ShouldRun(is_masked && is_end)) {
      output = skip.latest();
    } else {
      const at::Tensor timestep = MarkGiven(
          dit.options, at::full({batch}, timesteps[denoise_step], at::kFloat), given_rows);
      output = network.Run(x, timestep, sigmas[denoise_step], is_end);
      if (may_skip) skip.Add(output);
    }
    x = at::where(keep, canvas, scheduler->Step(x, output));
  }
  return x;
}

}  // namespace aim
