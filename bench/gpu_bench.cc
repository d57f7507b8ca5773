// The released 5 B system at full size with random weights on one GPU: seconds a denoising step, a
// sample and a plan. scripts/gpu_check runs it. Run: bin/gpu_bench [--config FILE.json] [--KEY
// VALUE]...
//
// Prints one JSON object. Defaults: 512 x 512 pixels, 41 frames, two views, bf16 on cuda; guidance
// 5 unless said otherwise. bench/toy.json is a size for the CPU. --help lists the keys; --tensors
// FILE.safetensors keeps weights, inputs and results, which bench/eager_wan.py compares its own
// with; --profile FILE.json measures nothing but the kernels of a forward and of a decoded segment,
// and writes their table. Exit 2 and one sentence for wrong arguments or without a usable GPU.
#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <c10/core/InferenceMode.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "accelerator.h"
#include "aim/base/atomic_file.h"
#include "aim/base/options.h"
#include "aim/diffusion/sampler.h"
#include "aim/model/camera_conditioning.h"
#include "aim/model/wan_vae.h"
#include "aim/tensor/device.h"
#include "aim/tensor/safetensors.h"
#include "bench_arguments.h"
#include "kernel_profile.h"
#include "random_network.h"
#include "scaling.h"

namespace {

using nlohmann::json;

constexpr double kGuidance = 5.0;
constexpr double kShift = 5.0;
constexpr int kNumViews = 2;

struct BenchOptions {
  std::string device = "cuda";
  std::string dtype = "bf16";
  int64_t latent_frames = 11;
  int64_t latent_side = 32;
  int64_t text_length = 512;
  int steps = 50;
  int plan_steps = 8;
  std::string tensors;
  std::string profile;
  aim::DitOptions dit = aim::ReleasedDit();
  aim::WanVaeOptions vae;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    using aim::Any, aim::Limits, aim::Range;
    visit("device", self.device, Any{}, "cpu, cuda or cuda:N");
    visit("dtype", self.dtype, Limits{"bf16", "f32"}, "of weights and computation");
    visit("latent_frames", self.latent_frames, Range{1, 1000},
          "of a segment: 1 + (frames - 1) / 4");
    visit("latent_side", self.latent_side, Range{1, 1000}, "of a frame: pixels / 16");
    visit("text_length", self.text_length, Range{1, 10000}, "rows of text features");
    visit("steps", self.steps, Range{1, 1000}, "denoising steps of a sample");
    visit("plan_steps", self.plan_steps, Range{1, 1000}, "denoising steps of an i2a plan");
    visit("tensors", self.tensors, Any{}, "file for weights, inputs and results; empty = none");
    visit("profile", self.profile, Any{},
          "file for a table of kernels instead of times; empty = none");
    visit("dit", self.dit, Any{}, "");
    visit("vae", self.vae, Any{}, "");
  }
  void Validate() const {
    aim::CheckRanges(*this);
    dit.Validate();
    vae.Validate();
  }
};

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
  explicit Bench(const BenchOptions& options)
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
        vae_(options.vae,
             aim::RandomWeights(aim::WanVaeWeightShapes(options.vae), device_,
                                [this](const std::string&) { return Dtype(); }),
             "random") {}

  json Run() const {
    json report{{"device", options_.device},  {"dtype", options_.dtype},
                {"steps", options_.steps},    {"plan_steps", options_.plan_steps},
                {"parameters", NumWeights()}, {"model_gib", accelerator_.PeakGib()}};
    const Job sample = RandomJob("i2va");
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

  at::Tensor Denoise(const Job& job, int steps, double guidance) const {
    aim::SamplerOptions options;
    options.sampling = {.steps = steps, .guidance = guidance, .shift = kShift};
    aim::Conditions conditions = job.conditions;
    conditions.camera = Camera(job);
    return aim::Denoise(dit_, job.plan, job.canvas, job.noise, conditions, options);
  }

  double TimeDenoising(const Job& job, int steps, double guidance) const {
    return accelerator_.Seconds([&] { Denoise(job, steps, guidance); });
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
    const int64_t of_pass = job.num_tokens(options_.dit.patch) * options_.dit.num_layers;
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
    vae_.Decode(latent, aim::ContentKind::kAction);
    return accelerator_.Seconds([&] {
      for (int i = 0; i < count; ++i) vae_.Decode(latent, aim::ContentKind::kAction);
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
  }

  // The second run of each: the first chooses algorithms and takes memory.
  void WriteProfile(const Job& job) const {
    const auto profile = [this](const std::function<void()>& work) {
      work();
      return ToJson(aim::ProfileKernels(device_, [&] { accelerator_.Seconds(work); }));
    };
    const auto forward = Forward(job);
    const at::Tensor latent = RandomLatent();
    const json report{{"forward", profile([&] { forward(); })},
                      {"decode", profile([&] { vae_.Decode(latent, aim::ContentKind::kAction); })}};
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

  BenchOptions options_;
  c10::Device device_;
  aim::Accelerator accelerator_;
  aim::Dit dit_;
  aim::WanVae vae_;
};

}  // namespace

int main(int argc, char** argv) {
  return aim::RunBench<BenchOptions>("gpu_bench", argc, argv, [](const BenchOptions& options) {
    const c10::InferenceMode guard;
    at::manual_seed(1);
    return Bench(options).Run();
  });
}
