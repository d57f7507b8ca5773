// The released 5 B system at full size with random weights on one GPU: seconds a denoising step, a
// sample and a plan. scripts/gpu_check runs it. Run: bin/gpu_bench [cuda:N]
//
// Prints one JSON object. 512 x 512 pixels, 41 frames, two views; guidance 5 unless said otherwise.
// Exit 2 and one sentence without a usable GPU.
#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>

#include "aim/base/error.h"
#include "aim/diffusion/sampler.h"
#include "aim/model/wan_vae.h"
#include "aim/tensor/device.h"

namespace {

using nlohmann::json;

constexpr int64_t kLatentFrames = 11;  // 41 frames
constexpr int64_t kLatentSide = 32;    // 512 pixels
constexpr int64_t kTextLength = 512;

aim::DitOptions ReleasedDit() {
  aim::DitOptions options;
  options.in_channels = options.out_channels = 48;
  options.dim = 3072;
  options.ffn_dim = 14336;
  options.num_heads = 24;
  options.num_layers = 30;
  options.text_dim = 4096;
  options.camera.mode = "pooled_latent";
  options.camera.features = 12288;
  options.camera.projector = true;
  return options;
}

// Wall time with the device idle before and after.
double Seconds(c10::Device device, const std::function<void()>& work) {
  at::accelerator::synchronizeDevice(device.index());
  const auto start = std::chrono::steady_clock::now();
  work();
  at::accelerator::synchronizeDevice(device.index());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double PeakGib(c10::Device device) {
  const auto stats = at::accelerator::getDeviceStats(device.index());
  return static_cast<double>(stats.allocated_bytes[0].peak) / (1 << 30);
}

// Small enough that activations stay in range through any number of layers.
aim::WeightMap RandomWeights(const aim::ShapeMap& shapes, c10::Device device,
                             const std::function<at::ScalarType(const std::string&)>& dtype_of) {
  aim::WeightMap weights;
  for (const auto& [name, shape] : shapes) {
    weights[name] =
        at::randn(shape, at::TensorOptions().device(device).dtype(dtype_of(name))).mul_(0.02);
  }
  return weights;
}

aim::Dit RandomDit(c10::Device device) {
  aim::Dit dit{ReleasedDit(), {}, at::kBFloat16};
  dit.weights = RandomWeights(aim::DitWeightShapes(dit.options), device,
                              [&](const std::string& name) { return WeightDtype(dit, name); });
  return dit;
}

// Multiplications and additions of one forward, as 2 x multiply-adds: matrix products of each token
// and attention over all of them.
double ForwardTflop(const aim::DitOptions& options, double num_tokens) {
  const double dim = options.dim, layers = options.num_layers;
  const double products = num_tokens * dim * (7 * dim + 2.0 * options.ffn_dim);
  const double attention = 2 * num_tokens * (num_tokens + kTextLength) * dim;
  return 2e-12 * layers * (products + attention);
}

struct Job {
  aim::CanvasPlan plan;
  aim::Conditions conditions;
  at::Tensor canvas;
  at::Tensor noise;
};

Job RandomJob(const aim::Dit& dit, const std::string& mode, c10::Device device) {
  const at::TensorOptions options = at::TensorOptions().device(device).dtype(at::kFloat);
  Job job;
  job.plan = aim::PlanCanvas(aim::FindMode(mode), {2, kLatentFrames, kLatentSide, kLatentSide},
                             dit.options);
  const int64_t frames = job.plan.num_frames();
  job.conditions.text = at::randn({1, kTextLength, dit.options.text_dim}, options);
  job.conditions.null_text = at::randn({1, kTextLength, dit.options.text_dim}, options);
  job.conditions.camera = at::randn({1, frames, 1, dit.options.camera.features}, options);
  job.canvas = at::randn({1, 48, frames, kLatentSide, kLatentSide}, options);
  job.noise = at::randn_like(job.canvas);
  return job;
}

double TimeSampling(const aim::Dit& dit, const Job& job, int steps, double guidance) {
  aim::SamplerOptions options;
  options.steps = steps;
  options.guidance = guidance;
  options.shift = 5.0;
  return Seconds(job.canvas.device(), [&] {
    aim::Denoise(dit, job.plan, job.canvas, job.noise, job.conditions, options);
  });
}

// One forward without guidance, text and cameras prepared before.
double TimeForward(const aim::Dit& dit, const Job& job) {
  const aim::DitContext context =
      aim::PrepareContext(dit, job.plan.layout, job.conditions.text, job.conditions.camera);
  const at::Tensor timestep = at::full({1}, 700.0f);
  constexpr int kRuns = 5;
  const auto run = [&] { aim::ForwardDit(dit, job.canvas, timestep, context); };
  run();
  return Seconds(job.canvas.device(),
                 [&] {
                   for (int i = 0; i < kRuns; ++i) run();
                 }) /
         kRuns;
}

// Pixels of `count` segments.
double TimeDecode(const aim::Autoencoder& vae, c10::Device device, int count) {
  const at::Tensor latent = at::randn({1, 48, kLatentFrames, kLatentSide, kLatentSide},
                                      at::TensorOptions().device(device).dtype(at::kFloat));
  vae.Decode(latent, aim::ContentKind::kAction);
  return Seconds(device, [&] {
    for (int i = 0; i < count; ++i) vae.Decode(latent, aim::ContentKind::kAction);
  });
}

json Measure(c10::Device device) {
  const c10::InferenceMode guard;
  const aim::Dit dit = RandomDit(device);
  const aim::WanVaeOptions vae_options;
  const aim::WanVae vae(vae_options,
                        RandomWeights(aim::WanVaeWeightShapes(vae_options), device,
                                      [](const std::string&) { return at::kBFloat16; }),
                        "random");
  json report;
  report["model_gib"] = PeakGib(device);
  const Job sample = RandomJob(dit, "i2va", device);
  const double tokens =
      static_cast<double>(sample.plan.num_frames()) * kLatentSide * kLatentSide / 4;
  const double forward_s = TimeForward(dit, sample);
  report["forward_s"] = forward_s;
  report["forward_tflop"] = ForwardTflop(dit.options, tokens);
  report["tflop_per_s"] = ForwardTflop(dit.options, tokens) / forward_s;
  TimeSampling(dit, sample, 1, 5.0);
  report["step_s"] = TimeSampling(dit, sample, 5, 5.0) / 5;
  report["denoise_50_steps_s"] = TimeSampling(dit, sample, 50, 5.0);
  const double decode_s = TimeDecode(vae, device, 4);
  report["decode_4_segments_s"] = decode_s;
  report["sample_s"] = report["denoise_50_steps_s"].get<double>() + decode_s;
  const Job act = RandomJob(dit, "i2a", device);
  TimeSampling(dit, act, 1, 1.0);
  const double act_decode_s = TimeDecode(vae, device, 2);
  report["i2a_8_steps_guided_s"] = TimeSampling(dit, act, 8, 5.0) + act_decode_s;
  report["i2a_8_steps_s"] = TimeSampling(dit, act, 8, 1.0) + act_decode_s;
  report["peak_gib"] = PeakGib(device);
  return report;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const c10::Device device = aim::ParseDevice(argc > 1 ? argv[1] : "cuda", "device");
    std::cout << Measure(device).dump(2) << '\n';
  } catch (const aim::ConfigError& error) {
    std::cerr << "gpu_bench: " << error.what() << '\n';
    return 2;
  }
  return 0;
}
