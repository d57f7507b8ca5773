#include "aim/diffusion/sampler.h"

#include <ATen/ATen.h>

#include "aim/base/error.h"
#include "aim/diffusion/flow_matching.h"

namespace aim {

at::Tensor NormalNoise(at::IntArrayRef shape, Rng& rng) {
  at::Tensor noise = at::empty(shape, at::kFloat);
  float* values = noise.data_ptr<float>();
  for (int64_t i = 0; i < noise.numel(); ++i) values[i] = static_cast<float>(rng.Normal());
  return noise;
}

at::Tensor Denoise(const Dit& dit, const CanvasPlan& plan, const at::Tensor& canvas,
                   const at::Tensor& noise, const Conditions& conditions,
                   const SamplerOptions& options) {
  const at::InferenceMode guard;
  const int64_t batch = canvas.size(0);
  const at::Tensor given = GivenMask(plan).to(canvas.device());
  const at::Tensor keep = given.view({1, 1, -1, 1, 1}).to(at::kBool);
  const at::Tensor given_rows = given.unsqueeze(0).expand({batch, -1});
  const bool guided = options.guidance > 1.0;
  const DitContext context = PrepareContext(dit, plan.layout, conditions.text, conditions.camera);
  DitContext null_context;
  if (guided)
    null_context = PrepareContext(dit, plan.layout, conditions.null_text, conditions.camera);

  const std::vector<double> sigmas = InferenceSigmas(options.steps, options.shift);
  at::Tensor x = at::where(keep, canvas, noise.to(canvas.device()));
  for (size_t denoise_step = 0; denoise_step + 1 < sigmas.size(); ++denoise_step) {
    const at::Tensor sigma = at::full({batch}, sigmas[denoise_step], canvas.options());
    const at::Tensor timestep = CanvasTimesteps(dit.options, sigma, given_rows);
    at::Tensor output = ForwardDit(dit, x, timestep, context);
    if (guided) {
      const at::Tensor null_output = ForwardDit(dit, x, timestep, null_context);
      output = null_output + options.guidance * (output - null_output);
    }
    const at::Tensor velocity = ToVelocity(dit.options, output, x, sigma.view({-1, 1, 1, 1, 1}));
    x = at::where(keep, canvas, x + velocity * (sigmas[denoise_step + 1] - sigmas[denoise_step]));
  }
  return x;
}

}  // namespace aim
