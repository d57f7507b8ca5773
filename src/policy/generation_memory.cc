#include "aim/policy/generation_memory.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "aim/base/memory.h"
#include "aim/diffusion/guidance_memory.h"
#include "aim/model/wan_vae.h"

namespace aim {
namespace {

int64_t NumBytes(const ShapeMap& shapes, at::ScalarType dtype) {
  int64_t numbers = 0;
  for (const auto& [name, shape] : shapes) numbers += c10::multiply_integers(shape);
  return numbers * static_cast<int64_t>(c10::elementSize(dtype));
}

int64_t NumTokens(const BundleConfig& config, const Mode& mode) {
  const AutoencoderOptions& code = config.autoencoder;
  const int factor = code.wan_vae.temporal_factor();
  const CanvasShape shape{config.num_views, LatentFrames(config.num_frames, factor),
                          config.image_height / code.spatial_factor(),
                          config.image_width / code.spatial_factor()};
  const int64_t patch = config.dit.patch;
  return PlanCanvas(mode, shape, config.dit).num_frames() * (shape.height / patch) *
         (shape.width / patch);
}

}  // namespace

int64_t GenerationMemory::peak() const { return weights + std::max(pass, decoding); }

GenerationMemory EstimateGeneration(const Bundle& bundle, const LoadOptions& load,
                                    const Mode& mode) {
  const BundleConfig& config = bundle.config;
  const WanVaeOptions& vae = config.autoencoder.wan_vae;
  const VideoExtent extent{config.num_frames, config.image_height, config.image_width, 1};
  const int64_t vae_weights = NumBytes(WanVaeWeightShapes(vae), load.dtype);
  GenerationMemory memory;
  memory.weights = NetworkBytes(bundle.dit);
  memory.pass = ForwardBytes(config.dit, NumTokens(config, mode), 1, load.dtype) +
                2 * TextContextBytes(config.dit, Umt5Encoder::kMaxTokens, load.dtype);
  const WanVaeRunOptions run = FitWanVaeRun(vae, load.vae, extent, load.dtype);
  memory.decoding = WanVaeDecodeBytes(vae, run, extent, load.dtype);
  if (load.offload) return memory;
  memory.weights += vae_weights;
  memory.decoding -= vae_weights;
  if (config.text.kind == TextKind::kUmt5)
    memory.weights += NumBytes(Umt5WeightShapes(config.text.umt5), load.dtype);
  return memory;
}

std::string GenerationMemoryText(const GenerationMemory& memory) {
  return "generating takes about " + MemoryText(memory.peak()) +
         " at its peak: " + MemoryText(memory.weights) + " of weights that stay, and " +
         MemoryText(memory.pass) + " for a pass of the network or " + MemoryText(memory.decoding) +
         " for decoding a view";
}

}  // namespace aim
