// Times one part of a model on given weights and inputs, for comparison with another program in one
// run (bench/against_diffusers.py). Run: bin/model_bench CONFIG.json TENSORS.safetensors
//
//   CONFIG    {"part": "dit" or "vae-decode", "threads": 2, "repeats": 1,
//              "dit": options, "dtype": "f32" or "bf16", "frame_positions": [0, 1, ...],
//              "vae": options}
//   TENSORS   weights/NAME (any known naming), inputs/latents, and for the network
//             inputs/timestep, inputs/text, inputs/camera
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
#include "aim/model/dit.h"
#include "aim/model/wan_vae.h"
#include "aim/model/weight_names.h"
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
json Time(int repeats, const std::function<at::Tensor()>& work) {
  at::Tensor out = work();
  json seconds = json::array(), cpu_seconds = json::array();
  for (int i = 0; i < repeats; ++i) {
    const double cpu_start = CpuSeconds();
    seconds.push_back(Seconds([&] { out = work(); }));
    cpu_seconds.push_back(CpuSeconds() - cpu_start);
  }
  return {{"seconds", seconds},
          {"cpu_seconds", cpu_seconds},
          {"checksum", out.sum(at::kDouble).item<double>()},
          {"max", out.abs().max().item<double>()}};
}

json TimeDit(const json& config, const aim::WeightMap& tensors) {
  aim::Dit dit;
  aim::ApplyOptions(dit.options, config.at("dit"), "dit");
  dit.compute_dtype = config.value("dtype", "f32") == "bf16" ? at::kBFloat16 : at::kFloat;
  dit.weights = aim::OriginalDitNames(Below(tensors, "weights/"));
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
  json report = Time(config.at("repeats"), [&] {
    return aim::ForwardDit(dit, latents, tensors.at("inputs/timestep"), context);
  });
  report["prepare_s"] = prepare_s;
  return report;
}

json TimeVaeDecode(const json& config, const aim::WeightMap& tensors) {
  aim::WanVaeOptions options;
  aim::ApplyOptions(options, config.at("vae"), "vae");
  const aim::WanVae vae(options, aim::OriginalVaeNames(Below(tensors, "weights/")), "weights");
  return Time(config.at("repeats"),
              [&] { return vae.Decode(tensors.at("inputs/latents"), aim::ContentKind::kVideo); });
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
  const json report =
      config.at("part") == "dit" ? TimeDit(config, tensors) : TimeVaeDecode(config, tensors);
  std::cout << report.dump() << '\n';
  return 0;
}
