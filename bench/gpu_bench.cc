// The released 5 B system at full size with random weights on one GPU: seconds a denoising step, a
// sample and a plan. scripts/gpu_check runs it. Run: bin/gpu_bench [--config FILE.json] [--KEY
// VALUE]...
//
// Prints one JSON object. Defaults: 512 x 512 pixels, 41 frames, two views, bf16 on cuda; guidance
// 5 unless said otherwise. "plan_recipe" is a plan with the caches and the range of guidance of the
// keys recipe.*, docs/results.md has what they cost in mm. --dtype fp8 first tells how far a
// forward is from bf16's; --offload true keeps the autoencoder in host memory but while it decodes,
// and tells the memory that was estimated and taken. bench/toy.json is a size for the CPU. --help
// lists the keys; --tensors FILE.safetensors keeps weights, inputs and results, which
// bench/eager_wan.py compares its own with; --profile FILE.json measures nothing but the kernels of
// a forward and of a decoded segment, and writes their table. Exit 2 and one sentence for wrong
// arguments or without a usable GPU.
#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "accelerator.h"
#include "aim/base/atomic_file.h"
#include "aim/base/options.h"
#include "aim/diffusion/guidance_memory.h"
#include "aim/diffusion/sampler.h"
#include "aim/model/camera_conditioning.h"
#include "aim/model/dit_fp8.h"
#include "aim/model/on_demand.h"
#include "aim/model/wan_vae.h"
#include "aim/tensor/device.h"
#include "aim/tensor/safetensors.h"
#include "bench_arguments.h"
#include "gpu_bench_options.h"
#include "kernel_profile.h"
#include "random_network.h"
#include "scaling.h"

namespace {

using nlohmann::json;

constexpr double kGuidance = 5.0;
constexpr double kShift = 5.0;
constexpr int kNumViews = 2;

struct Job {
  aim::CanvasPlan plan;
  aim::Conditions conditions;  // without the camera
  at::Tensor camera_latents;   // [1, F, 2 C, h, w], as the VAE gives them
  at::Tensor canvas;
  at::Tensor noise;

  int64_t num_tokens(int64_t patch) const {
    return canvas.size(2) * (canvas.size(3) / patch) * (canvas.size(4) / patch);
  }
};

class Bench {
 public:
  explicit Bench(const aim::GpuBenchOptions& options)
      : options_(options),
        device_(aim::ParseDevice(options.device)),
        accelerator_(device_),
        dit_(options.dit,
             aim::RandomWeights(aim::DitWeightShapes(options.dit), device_,
                                [this](const std::string& name) {
                                  return aim::DitWeightDtype(name, Dtype(),
                                                             aim::Numerics::kAccurate);
                                }),
             Dtype()),
        vae_(RandomVae()) {}

  json Run() {
    json report{{"device", options_.device},  {"dtype", options_.dtype},
                {"steps", options_.steps},    {"plan_steps", options_.plan_steps},
                {"parameters", NumWeights()}, {"model_gib", accelerator_.PeakGib()}};
    const Job sample = RandomJob("i2va");
    if (options_.dtype == "fp8") report["from_bf16"] = Quantise(sample);
    if (options_.offload) report["memory"] = MeasureMemory(sample);
    if (!options_.profile.empty()) {
      WriteProfile(sample);
      return report;
    }
    if (!options_.tensors.empty()) WriteTensors(sample);
    TimeSample(sample, report);
    TimePlan(RandomJob("i2a"), report);
    report["peak_gib"] = accelerator_.PeakGib();
    return report;
  }

 private:
  at::ScalarType Dtype() const { return options_.dtype == "f32" ? at::kFloat : at::kBFloat16; }

  int64_t NumWeights() const {
    int64_t count = 0;
    for (const auto& [name, weight] : dit_.NamedWeights()) count += weight.numel();
    return count;
  }

  // Kept in host memory if it is brought on demand.
  std::unique_ptr<aim::Autoencoder> RandomVae() const {
    aim::WeightMap weights = aim::RandomWeights(aim::WanVaeWeightShapes(options_.vae), device_,
                                                [this](const std::string&) { return Dtype(); });
    if (!options_.offload)
      return std::make_unique<aim::WanVae>(options_.vae, std::move(weights), "random");
    for (auto& [name, weight] : weights) weight = weight.cpu();
    const auto load = [weights, options = options_.vae, device = device_] {
      aim::WeightMap moved;
      for (const auto& [name, weight] : weights) moved[name] = weight.to(device);
      return std::make_unique<aim::WanVae>(options, std::move(moved), "random");
    };
    const aim::AutoencoderShape shape{options_.vae.z_dim, options_.vae.spatial_factor(),
                                      options_.vae.temporal_factor()};
    return std::make_unique<aim::OnDemandAutoencoder>(shape, device_, load);
  }

  // From here on the network's large matrices are of eight bits: how far what it predicts is from
  // what it did.
  json Quantise(const Job& job) {
    const at::Tensor before = Forward(job)();
    aim::QuantiseWeights(dit_);
    const at::Tensor after = Forward(job)();
    const double error =
        ((after - before).square().mean() / before.square().mean()).sqrt().item<double>();
    return {{"relative_error", error},
            {"cosine", at::cosine_similarity(after.flatten(), before.flatten(), 0).item<double>()}};
  }

  // Of two guided steps and a decoded segment, in GiB.
  json MeasureMemory(const Job& job) const {
    const auto dtype = Dtype();
    const int64_t num_tokens = job.num_tokens(options_.dit.patch);
    const aim::VideoExtent segment{
        .num_frames = aim::VideoFrames(options_.latent_frames, options_.vae.temporal_factor()),
        .height = options_.latent_side * options_.vae.spatial_factor(),
        .width = options_.latent_side * options_.vae.spatial_factor()};
    const int64_t decoding = aim::WanVaeDecodeBytes(options_.vae, {}, segment, dtype);
    const int64_t denoising = aim::ForwardBytes(options_.dit, num_tokens, 1, dtype) +
                              2 * aim::TextContextBytes(options_.dit, options_.text_length, dtype);
    const int64_t estimated = aim::NetworkBytes(dit_) + std::max(denoising, decoding);
    accelerator_.Forget();
    Denoise(job, 2, kGuidance);
    vae_->Decode(RandomLatent(), aim::ContentKind::kAction);
    vae_->ReleaseWeights();
    return {{"estimated_gib", static_cast<double>(estimated) / (1 << 30)},
            {"peak_gib", accelerator_.PeakGib()}};
  }

  Job RandomJob(const std::string& mode) const {
    const auto normal = [&](at::IntArrayRef shape) {
      return at::randn(shape, at::TensorOptions().device(device_).dtype(at::kFloat));
    };
    const int64_t side = options_.latent_side, channels = options_.dit.in_channels;
    Job job;
    job.plan = aim::PlanCanvas(aim::FindMode(mode), {kNumViews, options_.latent_frames, side, side},
                               options_.dit);
    const int64_t frames = job.plan.num_frames();
    job.conditions.text = normal({1, options_.text_length, options_.dit.text_dim});
    job.conditions.null_text = normal({1, options_.text_length, options_.dit.text_dim});
    job.camera_latents = normal({1, frames, 2 * channels, side, side});
    job.canvas = normal({1, channels, frames, side, side});
    job.noise = normal({1, channels, frames, side, side});
    return job;
  }

  at::Tensor Camera(const Job& job) const {
    return aim::PoolCameraLatents(options_.dit.camera, job.camera_latents);
  }

  at::Tensor Denoise(const Job& job, int steps, double guidance,
                     const aim::PassOptions& passes = {}) const {
    aim::SamplerOptions options{.sampling = {}, .passes = passes};
    options.sampling = {.steps = steps, .guidance = guidance, .shift = kShift};
    aim::Conditions conditions = job.conditions;
    conditions.camera = Camera(job);
    return aim::Denoise(dit_, job.plan, job.canvas, job.noise, conditions, options);
  }

  double TimeDenoising(const Job& job, int steps, double guidance,
                       const aim::PassOptions& passes = {}) const {
    return accelerator_.Seconds([&] { Denoise(job, steps, guidance, passes); });
  }

  // One pass without guidance, text and cameras prepared before.
  std::function<at::Tensor()> Forward(const Job& job) const {
    const aim::DitContext context =
        aim::PrepareContext(dit_, job.plan.layout, job.conditions.text, Camera(job));
    return [this, context, canvas = job.canvas] {
      return aim::ForwardDit(dit_, canvas, at::full({1}, 700.0f), context);
    };
  }

  double TimeForward(const Job& job) const {
    constexpr int kRuns = 5;
    const auto forward = Forward(job);
    forward();
    return accelerator_.Seconds([&] {
      for (int i = 0; i < kRuns; ++i) forward();
    }) / kRuns;
  }

  // Clips that pass through the network in one guided step, by the tokens that enter the
  // feed-forward products.
  double CountPasses(const Job& job) const {
    static thread_local int64_t width, rows;
    width = options_.dit.ffn_dim;
    rows = 0;
    const at::CallbackHandle handle = at::addThreadLocalCallback(
        at::RecordFunctionCallback([](const at::RecordFunction& function)
                                       -> std::unique_ptr<at::ObserverContext> {
          if (std::string_view(function.name()) != "aten::linear") return nullptr;
          const at::Tensor& x = function.inputs()[0].toTensor();
          if (function.inputs()[1].toTensor().size(0) == width) rows += x.numel() / x.size(-1);
          return nullptr;
        }).needsInputs(true));
    Denoise(job, 1, kGuidance);
    at::removeCallback(handle);
    // Blocks of eight bits have products of another name.
    const auto is_counted = [](const aim::DitBlockWeights& block) {
      return !block.ffn_up.scale.defined();
    };
    const int64_t of_pass =
        job.num_tokens(options_.dit.patch) * std::ranges::count_if(dit_.weights.blocks, is_counted);
    return static_cast<double>(rows) / static_cast<double>(of_pass);
  }

  at::Tensor RandomLatent() const {
    const int64_t side = options_.latent_side;
    return at::randn({1, options_.vae.z_dim, options_.latent_frames, side, side},
                     at::TensorOptions().device(device_).dtype(at::kFloat));
  }

  // Pixels of `count` segments.
  double TimeDecoding(int count) const {
    const at::Tensor latent = RandomLatent();
    vae_->Decode(latent, aim::ContentKind::kAction);
    return accelerator_.Seconds([&] {
      for (int i = 0; i < count; ++i) vae_->Decode(latent, aim::ContentKind::kAction);
    });
  }

  void TimeSample(const Job& job, json& report) const {
    constexpr int kRuns = 5;
    report["tokens"] = job.num_tokens(options_.dit.patch);
    report["passes_per_step"] = CountPasses(job);
    const double forward_s = TimeForward(job);
    report["forward_s"] = forward_s;
    const double forward_tflop =
        aim::ForwardTflop(options_.dit, job.num_tokens(options_.dit.patch), options_.text_length);
    report["forward_tflop"] = forward_tflop;
    report["tflop_per_s"] = forward_tflop / forward_s;
    report["step_s"] = TimeDenoising(job, kRuns, kGuidance) / kRuns;
    const double denoise_s = TimeDenoising(job, options_.steps, kGuidance);
    const double decode_s = TimeDecoding(2 * kNumViews);
    report["denoise_s"] = denoise_s;
    report["decode_s"] = decode_s;
    report["sample_s"] = denoise_s + decode_s;
  }

  // Only the actions are decoded.
  void TimePlan(const Job& job, json& report) const {
    Denoise(job, 1, kGuidance);
    const double decode_s = TimeDecoding(kNumViews);
    const double guided_s = TimeDenoising(job, options_.plan_steps, kGuidance);
    report["plan_denoise_guided_s"] = guided_s;
    report["plan_guided_s"] = guided_s + decode_s;
    report["plan_s"] = TimeDenoising(job, options_.plan_steps, 1.0) + decode_s;
    Denoise(job, 1, kGuidance, options_.recipe);
    const double recipe_s = TimeDenoising(job, options_.plan_steps, kGuidance, options_.recipe);
    report["plan_recipe"] = {{"denoise_s", recipe_s},
                             {"plan_s", recipe_s + decode_s},
                             {"passes", aim::OptionsToJson(options_.recipe)}};
  }

  // The second run of each: the first chooses algorithms and takes memory.
  void WriteProfile(const Job& job) const {
    const auto profile = [this](const std::function<void()>& work) {
      work();
      return ToJson(aim::ProfileKernels(device_, [&] { accelerator_.Seconds(work); }));
    };
    const auto forward = Forward(job);
    const at::Tensor latent = RandomLatent();
    const json report{
        {"forward", profile([&] { forward(); })},
        {"decode", profile([&] { vae_->Decode(latent, aim::ContentKind::kAction); })}};
    aim::WriteFileAtomic(options_.profile, report.dump(2) + "\n");
  }

  void WriteTensors(const Job& job) const {
    aim::WeightMap tensors{{"inputs/canvas", job.canvas},
                           {"inputs/noise", job.noise},
                           {"inputs/given", aim::GivenMask(job.plan)},
                           {"inputs/text", job.conditions.text},
                           {"inputs/null_text", job.conditions.null_text},
                           {"inputs/camera", job.camera_latents},
                           {"results/forward", Forward(job)()},
                           {"results/denoise", Denoise(job, options_.steps, kGuidance)}};
    for (const auto& [name, weight] : dit_.NamedWeights()) tensors["weights/" + name] = weight;
    aim::WriteSafetensors(options_.tensors, tensors);
  }

  aim::GpuBenchOptions options_;
  c10::Device device_;
  aim::Accelerator accelerator_;
  aim::Dit dit_;
  std::unique_ptr<aim::Autoencoder> vae_;
};

}  // namespace

int main(int argc, char** argv) {
  return aim::RunBench<aim::GpuBenchOptions>("gpu_bench", argc, argv,
                                             [](const aim::GpuBenchOptions& options) {
                                               const c10::InferenceMode guard;
                                               at::manual_seed(1);
                                               return Bench(options).Run();
                                             });
}
