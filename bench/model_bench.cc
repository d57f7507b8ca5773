// Times one part of a model on given weights and inputs, for comparison with another program in one
// run (bench/against_diffusers.py). Run: bin/model_bench CONFIG.json TENSORS.safetensors
//
//   CONFIG    {"part": "dit", "vae-decode" or "plan", "threads": 2, "repeats": 1,
//              "dit": options, "dtype": "f32" or "bf16", "frame_positions": [0, 1, ...],
//              "vae": options, "sampler": options, "remember_cameras": false,
//              "output": safetensors file for the result}
//   TENSORS   weights/NAME (any known naming; of a plan weights/dit/NAME and weights/vae/NAME);
//             dit         inputs/latents, timestep, text, camera
//             vae-decode  inputs/latents
//             plan        inputs/video [V, 3, 1, H, W], action [V, 3, T, H, W] (frame 0 counts),
//                         rays [V, 6, T, H, W], text, null_text, noise [1, C, F, h, w]
//
// Prints {"prepare_s" (network), "seconds", "cpu_seconds": [one a repeat], "checksum", "max"}; the
// first run is not counted.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>

#include "aim/base/options.h"
#include "aim/bundle/weight_names.h"
#include "aim/diffusion/sampler.h"
#include "aim/model/camera_conditioning.h"
#include "aim/model/dit.h"
#include "aim/model/wan_vae.h"
#include "aim/tensor/safetensors.h"

namespace {

using nlohmann::json;

double Seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

aim::WeightMap Below(const aim::WeightMap& tensors, const std::string& prefix) {
  aim::WeightMap found;
  for (const auto& [name, tensor] : tensors) {
    if (name.rfind(prefix, 0) == 0) found[name.substr(prefix.size())] = tensor;
  }
  return found;
}

// Of all threads of this process.
double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Runs once, then `repeats` times under the clock.
json Time(const json& config, const std::function<at::Tensor()>& work) {
  const int repeats = config.at("repeats");
  at::Tensor out = work();
  json seconds = json::array(), cpu_seconds = json::array();
  for (int i = 0; i < repeats; ++i) {
    const double cpu_start = CpuSeconds();
    seconds.push_back(Seconds([&] { out = work(); }));
    cpu_seconds.push_back(CpuSeconds() - cpu_start);
  }
  aim::WriteSafetensors(config.at("output").get<std::string>(), {{"output", out.contiguous()}});
  return {{"seconds", seconds},
          {"cpu_seconds", cpu_seconds},
          {"checksum", out.sum(at::kDouble).item<double>()},
          {"max", out.abs().max().item<double>()}};
}

json TimeDit(const json& config, const aim::WeightMap& tensors) {
  aim::DitOptions options;
  aim::ApplyOptions(options, config.at("dit"), "dit");
  aim::Dit dit(options, aim::OriginalDitNames(Below(tensors, "weights/")),
               config.value("dtype", "f32") == "bf16" ? at::kBFloat16 : at::kFloat);
  aim::CastWeights(dit);
  const at::Tensor& latents = tensors.at("inputs/latents");
  aim::CanvasLayout layout{latents.size(3), latents.size(4), config.at("frame_positions"), {}};
  layout.segment_ids.assign(layout.frame_positions.size(), 0);
  const auto camera = tensors.find("inputs/camera");
  const auto prepare = [&] {
    return aim::PrepareContext(dit, layout, tensors.at("inputs/text"),
                               camera == tensors.end() ? at::Tensor() : camera->second);
  };
  aim::DitContext context;
  prepare();
  const double prepare_s = Seconds([&] { context = prepare(); });
  json report = Time(config, [&] {
    return aim::ForwardDit(dit, latents, tensors.at("inputs/timestep"), context);
  });
  report["prepare_s"] = prepare_s;
  return report;
}

json TimeVaeDecode(const json& config, const aim::WeightMap& tensors) {
  aim::WanVaeOptions options;
  aim::ApplyOptions(options, config.at("vae"), "vae");
  const aim::WanVae vae(options, aim::OriginalVaeNames(Below(tensors, "weights/")), "weights");
  return Time(config,
              [&] { return vae.Decode(tensors.at("inputs/latents"), aim::ContentKind::kVideo); });
}

// A whole i2a plan: what is given is encoded, the canvas denoised, the actions decoded.
class PlanRun {
 public:
  PlanRun(const json& config, const aim::WeightMap& tensors)
      : tensors_(tensors),
        vae_(VaeOptions(config), aim::OriginalVaeNames(Below(tensors, "weights/vae/")), "weights") {
    aim::DitOptions options;
    aim::ApplyOptions(options, config.at("dit"), "dit");
    aim::ApplyOptions(sampler_, config.at("sampler"), "sampler");
    dit_ = aim::Dit(options, aim::OriginalDitNames(Below(tensors, "weights/dit/")));
    if (config.value("remember_cameras", false)) camera_ = Camera();
  }

  at::Tensor Run() const {
    const at::Tensor& action = tensors_.at("inputs/action");
    const int64_t latent_frames = aim::LatentFrames(action.size(2), 4);
    const at::Tensor video = vae_.Encode(tensors_.at("inputs/video"), kVideo);
    const at::Tensor first_action = vae_.Encode(action.narrow(2, 0, 1).contiguous(), kVideo);
    const int64_t views = video.size(0);
    at::Tensor latents = at::zeros(
        {1, views, 2, video.size(1), latent_frames, video.size(3), video.size(4)}, at::kFloat);
    latents[0].select(1, 0).narrow(2, 0, 1).copy_(video);
    latents[0].select(1, 1).narrow(2, 0, 1).copy_(first_action);
    const aim::CanvasShape shape{static_cast<int>(views), latent_frames, video.size(3),
                                 video.size(4)};
    const aim::CanvasPlan plan = aim::PlanCanvas(aim::FindMode("i2a"), shape, dit_.options);
    const at::Tensor camera = camera_.defined() ? camera_ : Camera();
    const aim::Conditions conditions{tensors_.at("inputs/text"), tensors_.at("inputs/null_text"),
                                     aim::GatherCamera(plan, camera.unsqueeze(0))};
    const at::Tensor canvas = aim::Denoise(dit_, plan, aim::GatherCanvas(plan, latents),
                                           tensors_.at("inputs/noise"), conditions, sampler_);
    std::vector<at::Tensor> decoded;
    for (const aim::CanvasSegment& segment : plan.segments) {
      if (segment.kind == aim::ContentKind::kVideo) continue;
      decoded.push_back(
          vae_.Decode(canvas.narrow(2, segment.begin, segment.length).contiguous(), kVideo));
    }
    return at::cat(decoded);
  }

 private:
  static constexpr aim::ContentKind kVideo = aim::ContentKind::kVideo;

  static aim::WanVaeOptions VaeOptions(const json& config) {
    aim::WanVaeOptions options;
    aim::ApplyOptions(options, config.at("vae"), "vae");
    return options;
  }

  // [V, T_l, 1, features]
  at::Tensor Camera() const {
    const at::Tensor& rays = tensors_.at("inputs/rays");
    const auto encode = [&](int64_t channel) {
      return vae_.Encode(rays.narrow(1, channel, 3).contiguous(), kVideo);
    };
    const at::Tensor latents = at::cat({encode(0), encode(3)}, 1);  // [V, 2 C, T_l, h, w]
    return aim::PoolCameraLatents(dit_.options.camera, latents.transpose(1, 2).contiguous());
  }

  const aim::WeightMap& tensors_;
  aim::WanVae vae_;
  aim::Dit dit_;
  aim::SamplerOptions sampler_;
  at::Tensor camera_;
};

json TimePlan(const json& config, const aim::WeightMap& tensors) {
  const PlanRun plan(config, tensors);
  return Time(config, [&] { return plan.Run(); });
}

json TimePart(const json& config, const aim::WeightMap& tensors) {
  if (config.at("part") == "dit") return TimeDit(config, tensors);
  if (config.at("part") == "plan") return TimePlan(config, tensors);
  return TimeVaeDecode(config, tensors);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "model_bench: expected CONFIG.json TENSORS.safetensors\n";
    return 2;
  }
  const at::InferenceMode guard;
  const json config = json::parse(std::ifstream(argv[1]));
  at::set_num_threads(config.at("threads"));
  const aim::WeightMap tensors = aim::ReadSafetensors(argv[2]);
  std::cout << TimePart(config, tensors).dump() << '\n';
  return 0;
}
