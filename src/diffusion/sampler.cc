#include "aim/diffusion/sampler.h"

#include <ATen/ATen.h>

#include "aim/diffusion/scheduler.h"
#include "aim/diffusion/step_cache.h"

namespace aim {

at::Tensor NormalNoise(at::IntArrayRef shape, Rng& rng) {
  at::Tensor noise = at::empty(shape, at::kFloat);
  float* values = noise.data_ptr<float>();
  for (int64_t i = 0; i < noise.numel(); ++i) values[i] = static_cast<float>(rng.Normal());
  return noise;
}

namespace {

// What the network makes of a sample, both branches of guidance combined.
class GuidedForward {
 public:
  GuidedForward(const Dit& dit, const CanvasPlan& plan, const Conditions& conditions,
                const SamplerOptions& options)
      : dit_(dit),
        options_(options),
        context_(PrepareContext(dit, plan.layout, conditions.text, conditions.camera)),
        cache_(options.cache_threshold),
        null_cache_(options.cache_threshold) {
    if (options.guidance <= 1.0) return;
    null_context_ = WithText(dit, context_, conditions.null_text);
    if (options.guidance_mode == "batched") context_ = JoinContexts(context_, null_context_);
  }

  at::Tensor Run(const at::Tensor& x, const at::Tensor& timestep, bool must_run) {
    if (options_.guidance <= 1.0) return Branch(x, timestep, context_, cache_, must_run);
    at::Tensor output, null_output;
    if (options_.guidance_mode == "batched") {
      const at::Tensor both =
          Branch(at::cat({x, x}), at::cat({timestep, timestep}), context_, cache_, must_run);
      output = both.narrow(0, 0, x.size(0));
      null_output = both.narrow(0, x.size(0), x.size(0));
    } else {
      output = Branch(x, timestep, context_, cache_, must_run);
      null_output = Branch(x, timestep, null_context_, null_cache_, must_run);
    }
    return null_output + options_.guidance * (output - null_output);
  }

 private:
  at::Tensor Branch(const at::Tensor& x, const at::Tensor& timestep, const DitContext& context,
                    FirstBlockCache& cache, bool must_run) const {
    if (options_.cache != "first_block") return ForwardDit(dit_, x, timestep, context);
    return cache.Forward(dit_, x, timestep, context, must_run);
  }

  const Dit& dit_;
  const SamplerOptions& options_;
  DitContext context_, null_context_;
  FirstBlockCache cache_, null_cache_;
};

at::Tensor RowOf(const at::Tensor& batch, int64_t row) {
  return batch.defined() ? batch.narrow(0, row, 1) : batch;
}

}  // namespace

at::Tensor Denoise(const Dit& dit, const CanvasPlan& plan, const at::Tensor& canvas,
                   const at::Tensor& noise, const Conditions& conditions,
                   const SamplerOptions& options) {
  const at::InferenceMode guard;
  const int64_t batch = canvas.size(0);
  if (options.cache != "none" && batch > 1) {
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
      MakeScheduler({.kind = options.sampler,
                     .sigma_grid = options.sigma_grid,
                     .timestep_rounding = options.timestep_rounding,
                     .prediction = dit.options.prediction,
                     .steps = options.steps,
                     .shift = options.shift});
  GuidedForward network(dit, plan, conditions, options);
  CosineSkip skip;
  at::Tensor x = at::where(keep, canvas, noise.to(canvas.device()));
  const std::vector<float>& timesteps = scheduler->schedule().timesteps;
  for (size_t denoise_step = 0; denoise_step < timesteps.size(); ++denoise_step) {
    at::Tensor output;
    if (options.cache == "cosine" && !skip.ShouldRun()) {
      output = skip.latest();
    } else {
      const at::Tensor timestep = MarkGiven(
          dit.options, at::full({batch}, timesteps[denoise_step], at::kFloat), given_rows);
      const bool is_end = denoise_step == 0 || denoise_step + 1 == timesteps.size();
      output = network.Run(x, timestep, is_end);
      if (options.cache == "cosine") skip.Add(output);
    }
    x = at::where(keep, canvas, scheduler->Step(x, output));
  }
  return x;
}

}  // namespace aim
