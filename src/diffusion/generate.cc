#include "aim/diffusion/generate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "aim/base/error.h"

namespace aim {
namespace {

class Stopwatch {
 public:
  // Seconds since the last call, or since it was made.
  double Lap() {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> lap = now - std::exchange(begin_, now);
    return lap.count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// Until what was asked of its device is done.
void WaitFor(at::Tensor tensor) {
  while (tensor.dim() > 0) tensor = tensor.select(0, 0);
  tensor.cpu();
}

struct Batch {
  at::Tensor latents;  // [B, V, 2, C, T_l, h, w]
  at::Tensor camera;   // [B, V, T_l, P, K] or undefined
  at::Tensor text;     // [B, L, D]
};

Batch EncodeBatch(const GeneratorModel& model, const std::vector<Clip>& clips) {
  const ClipEncoder encoder{model.autoencoder, model.text,       model.dit->options,
                            model.spec,        model.num_frames, model.cameras};
  std::vector<at::Tensor> latents, cameras, texts;
  for (const Clip& clip : clips) {
    EncodedClip encoded = encoder.Encode(clip);
    latents.push_back(encoded.latents);
    if (encoded.camera.defined()) cameras.push_back(encoded.camera);
    texts.push_back(encoded.text);
  }
  const c10::Device device = model.dit->device();
  Batch batch{at::stack(latents).to(device), {}, at::stack(texts).to(device)};
  if (!cameras.empty()) batch.camera = at::stack(cameras).to(device);
  return batch;
}

// Noise of each clip from its own stream, so that batching changes nothing.
at::Tensor BatchNoise(at::IntArrayRef shape, NoiseKind kind,
                      const std::vector<NoiseStream>& streams) {
  std::vector<at::Tensor> noise;
  for (const NoiseStream& stream : streams) {
    if (kind == NoiseKind::kTorch) {
      noise.push_back(TorchNoise(shape.slice(1), stream.rng.seed() + stream.row));
      continue;
    }
    Rng rng = stream.rng.Derive(stream.row, "noise");
    noise.push_back(NormalNoise(shape.slice(1), rng));
  }
  return at::stack(noise);
}

bool IsGiven(const CanvasPlan& plan, const CanvasSegment& segment) {
  const auto begin = plan.given.begin() + segment.begin;
  return std::all_of(begin, begin + segment.length, [](bool given) { return given; });
}

// Pixels of one segment of one clip: [3, T, H, W]. Clips of a batch are decoded one by one: that is
// the memory that is stated before the work.
at::Tensor DecodeSegment(const GeneratorModel& model, const CanvasSegment& segment,
                         const at::Tensor& canvas, int64_t clip) {
  return model.autoencoder
      ->Decode(canvas.narrow(0, clip, 1)
                   .narrow(2, segment.begin, segment.length)
                   .to(model.autoencoder->device())
                   .contiguous(),
               segment.kind)[0]
      .to(at::kCPU)
      .clamp(-1, 1);
}

}  // namespace

std::vector<DecodedPose> DecodeActionVideos(const std::vector<at::Tensor>& action_videos,
                                            const std::vector<ClipView>& views,
                                            const DecoderOptions& options) {
  std::vector<at::Tensor> unit;
  std::vector<std::span<const float>> spans;
  std::vector<CameraTrack> cameras;
  for (size_t v = 0; v < action_videos.size(); ++v) {
    unit.push_back(((action_videos[v] + 1) * 0.5).contiguous());
    spans.emplace_back(unit.back().const_data_ptr<float>(),
                       static_cast<size_t>(unit.back().numel()));
    cameras.push_back(views[v].camera);
  }
  return DecodeVideo(spans, static_cast<int>(action_videos[0].size(1)), cameras, options);
}

std::vector<NoiseStream> NoiseRows(const Rng& rng, size_t count) {
  std::vector<NoiseStream> rows;
  for (size_t row = 0; row < count; ++row) rows.push_back({rng, row});
  return rows;
}

std::vector<GeneratedClip> Generate(const GeneratorModel& model, const Mode& mode,
                                    const std::vector<Clip>& clips, const GenerateOptions& options,
                                    const std::vector<NoiseStream>& noise_streams) {
  AIM_CHECK(noise_streams.size() == clips.size());
  const at::InferenceMode guard;
  Stopwatch stopwatch;
  const Batch batch = EncodeBatch(model, clips);
  const CanvasPlan plan =
      PlanCanvas(mode, ShapeOfCanvas(batch.latents), model.dit->options, options.first_pose_given);
  Conditions conditions;
  conditions.text = batch.text;
  if (batch.camera.defined()) conditions.camera = GatherCamera(plan, batch.camera);
  if (options.sampler.sampling.guidance > 1.0) {
    conditions.null_text = model.text->Encode("")
                               .to(batch.text.device())
                               .unsqueeze(0)
                               .expand_as(batch.text)
                               .contiguous();
  }
  if (model.offload) {
    model.autoencoder->ReleaseWeights();
    model.text->ReleaseWeights();
  }
  const at::Tensor canvas = GatherCanvas(plan, batch.latents);
  const at::Tensor noise = BatchNoise(canvas.sizes(), options.sampler.passes.noise, noise_streams);
  const double encode_s = stopwatch.Lap();
  const at::Tensor out = Denoise(*model.dit, plan, canvas, noise, conditions, options.sampler);
  if (options.times != nullptr) WaitFor(out);
  const double denoise_s = stopwatch.Lap();

  std::vector<GeneratedClip> generated(clips.size());
  if (options.keep_latents) {
    const at::Tensor open = (GivenMask(plan) == 0).nonzero().flatten().to(out.device());
    const at::Tensor latents = out.index_select(2, open).to(at::kCPU);
    for (size_t i = 0; i < clips.size(); ++i)
      generated[i].latents = latents[static_cast<int64_t>(i)];
  }
  for (const CanvasSegment& segment : plan.segments) {
    const bool is_video = segment.kind == ContentKind::kVideo;
    if (IsGiven(plan, segment) || (is_video && !options.decode_video)) continue;
    for (size_t i = 0; i < clips.size(); ++i) {
      auto& target = is_video ? generated[i].videos : generated[i].action_videos;
      target.push_back(DecodeSegment(model, segment, out, static_cast<int64_t>(i)));
    }
  }
  for (size_t i = 0; i < clips.size(); ++i) {
    if (!generated[i].action_videos.empty()) {
      generated[i].poses =
          DecodeActionVideos(generated[i].action_videos, clips[i].views, options.decoder);
    }
  }
  if (options.times != nullptr) {
    *options.times = {.encode_s = encode_s, .denoise_s = denoise_s, .decode_s = stopwatch.Lap()};
  }
  return generated;
}

double Psnr(const at::Tensor& a, const at::Tensor& b) {
  const double mse = (a.to(at::kDouble) - b.to(at::kDouble)).square().mean().item<double>();
  return 10.0 * std::log10(4.0 / std::max(mse, 1e-12));
}

}  // namespace aim
