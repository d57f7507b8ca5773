#include "aim/bundle/forward.h"

#include <ATen/ATen.h>

#include <numeric>

#include "aim/base/error.h"
#include "aim/base/utf8.h"
#include "aim/bundle/bundle.h"
#include "aim/model/camera_conditioning.h"
#include "aim/tensor/device.h"
#include "aim/tensor/safetensors.h"
#include "aim/tensor/shape.h"

namespace aim {
namespace {

class Forward {
 public:
  Forward(const ForwardOptions& options, RunContext& run)
      : options_(options), config_(LoadBundleConfig(options.model)) {
    load_.device = ParseDevice(run.device());
    load_.fp8 = options.dtype == ModelDtype::kFp8;
    load_.dtype = load_.fp8 || options.dtype == ModelDtype::kBf16 ? at::kBFloat16 : at::kFloat;
    if (!options.inputs.empty()) inputs_ = ReadSafetensors(options.inputs);
  }

  WeightMap Run() const {
    const at::InferenceMode guard;
    switch (options_.part) {
      case ForwardPart::kDit:
        return {{"velocity", RunDit()}};
      case ForwardPart::kVaeEncode:
        return {{"latent", RunVae("video", true)}};
      case ForwardPart::kVaeDecode:
        return {{"video", RunVae("latent", false).clamp(-1, 1)}};
      default:
        return {{"features", RunText()}};
    }
  }

 private:
  std::string Where(const std::string& name) const { return options_.inputs + ": " + name; }

  at::Tensor Find(const std::string& name) const {
    const auto found = inputs_.find(name);
    if (found != inputs_.end()) return found->second;
    throw InputError(
        {.where = Where(name), .got = "missing", .expected = "a tensor of this name", .fix = ""});
  }

  // An input as float32 on the device.
  at::Tensor Float(const std::string& name, std::initializer_list<Dim> shape) const {
    const at::Tensor tensor = Find(name);
    CheckShape(tensor, shape, Where(name));
    if (!tensor.isfinite().all().item<bool>()) {
      throw InputError({.where = Where(name),
                        .got = "holding NaN or Inf",
                        .expected = "finite numbers",
                        .fix = ""});
    }
    return tensor.to(load_.device, at::kFloat);
  }

  // [B, 2 C, ...] of the inputs -> what the network's camera encoder reads.
  at::Tensor Camera(int64_t batch, int64_t frames) const {
    const CameraConditioningOptions& camera = config_.dit.camera;
    if (camera.mode == CameraMode::kNone) {
      if (!inputs_.contains("camera")) return {};
      throw InputError({.where = Where("camera"),
                        .got = "given",
                        .expected = "no cameras: this model takes none",
                        .fix = ""});
    }
    if (camera.mode == CameraMode::kPooledLatent)
      return PoolCameraLatents(camera, Float("camera", {batch, frames, "2C", "h", "w"}));
    return Float("camera", {batch, frames, "tokens", camera.features});
  }

  // [B] or [B, N] -> [B, G]
  at::Tensor Timestep(int64_t batch, int64_t num_tokens) const {
    const at::Tensor timestep = Find("timestep");
    if (timestep.dim() <= 1) {
      return timestep.dim() == 0 ? Float("timestep", {}).expand({batch, 1})
                                 : Float("timestep", {batch}).unsqueeze(1);
    }
    return Float("timestep", {batch, num_tokens});
  }

  at::Tensor RunDit() const {
    const DitOptions& dit_options = config_.dit;
    const at::Tensor latents = Float("latents", {"B", dit_options.in_channels, "F", "h", "w"});
    const int64_t batch = latents.size(0), frames = latents.size(2);
    CanvasLayout layout;
    layout.height = latents.size(3);
    layout.width = latents.size(4);
    if (layout.height % dit_options.patch != 0 || layout.width % dit_options.patch != 0) {
      throw InputError({.where = Where("latents"),
                        .got = ShapeText(latents.sizes()),
                        .expected = "height and width in multiples of the patch " +
                                    std::to_string(dit_options.patch),
                        .fix = ""});
    }
    layout.frame_positions.resize(static_cast<size_t>(frames));
    std::iota(layout.frame_positions.begin(), layout.frame_positions.end(), 0);
    layout.segment_ids.assign(static_cast<size_t>(frames), 0);
    const int64_t num_tokens =
        frames * (layout.height / dit_options.patch) * (layout.width / dit_options.patch);
    const at::Tensor text = Float("text", {batch, "L", dit_options.text_dim});
    const at::Tensor timestep = Timestep(batch, num_tokens);
    const at::Tensor camera = Camera(batch, frames);
    const Dit dit = LoadDit(options_.model, config_, load_);
    return ForwardDit(dit, latents, timestep, PrepareContext(dit, layout, text, camera));
  }

  at::Tensor RunVae(const std::string& input, bool encode) const {
    const auto code = LoadAutoencoder(options_.model, config_, load_);
    const int64_t channels = encode ? 3 : code->channels();
    const at::Tensor tensor = Float(input, {"B", channels, "T", "H", "W"});
    return encode ? code->Encode(tensor, ContentKind::kVideo)
                  : code->Decode(tensor, ContentKind::kVideo);
  }

  at::Tensor RunText() const {
    if (!options_.prompt.empty()) {
      return LoadTextEncoder(options_.model, config_, load_)
          ->Encode(ToUtf8(options_.prompt))
          .unsqueeze(0);
    }
    if (config_.text.kind != TextKind::kUmt5) {
      throw ConfigError({.where = "--part text",
                         .got = "with token_ids",
                         .expected = "--prompt: this model's text encoder has no tokens",
                         .fix = ""});
    }
    const at::Tensor ids = Find("token_ids");
    CheckShape(ids, {"B", "L"}, Where("token_ids"));
    if (!at::isIntegralType(ids.scalar_type(), false))
      CheckDtype(ids, at::kLong, Where("token_ids"));
    const WeightMap weights = LoadTextWeights(options_.model, config_, load_);
    return Umt5Forward(config_.text.umt5, weights, ids.to(load_.device, at::kLong));
  }

  const ForwardOptions& options_;
  BundleConfig config_;
  LoadOptions load_;
  WeightMap inputs_;
};

}  // namespace

void ForwardOptions::Validate() const {
  CheckRanges(*this);
  const auto require = [](const std::string& value, const char* flag, const char* expected) {
    if (!value.empty()) return;
    throw ConfigError({.where = flag, .got = "not given", .expected = expected, .fix = ""});
  };
  require(model, "--model", "the folder of a model bundle");
  require(ToWord(part), "--part", "dit, vae-encode, vae-decode or text");
  if (part == ForwardPart::kText && !prompt.empty()) return;
  require(inputs, "--inputs", "a safetensors file with the tensors that the part reads");
}

nlohmann::json ToJson(const ForwardReport& report) {
  return {{"part", ToWord(report.part)}, {"tensors", report.shapes}};
}

ForwardReport RunForward(const ForwardOptions& options, RunContext& run) {
  options.Validate();
  if (run.out().empty()) {
    throw ConfigError({.where = "--out",
                       .got = "not given",
                       .expected = "the safetensors file to write",
                       .fix = ""});
  }
  const Forward forward(options, run);
  run.PrepareOutFile();
  WeightMap outputs = forward.Run();
  ForwardReport report{.part = options.part, .shapes = {}};
  for (auto& [name, tensor] : outputs) {
    tensor = tensor.to(at::kCPU, at::kFloat).contiguous();
    report.shapes[name] = tensor.sizes().vec();
  }
  WriteSafetensors(run.out(), outputs);
  return report;
}

}  // namespace aim
