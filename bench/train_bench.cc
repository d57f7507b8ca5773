// A training's steps on one GPU: the small recipe at several batches, from a cache of random
// latents, and the released 5 B network with its last blocks trained. scripts/gpu_check runs it.
// Run: bin/train_bench [--config FILE.json] [--KEY VALUE]...
//
// Prints one JSON object. --help lists the keys; bench/toy_train.json is a size for the CPU, where
// steps are queued as on a GPU. Exit 2 and one sentence for wrong arguments or without a usable
// GPU. bench/eager_train.py takes the same steps in PyTorch.
#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "accelerator.h"
#include "aim/cache/latent_cache.h"
#include "aim/train/trainer.h"
#include "bench_arguments.h"
#include "random_network.h"
#include "scaling.h"

namespace {

using nlohmann::json;

constexpr int kNumViews = 2;
constexpr uint64_t kSeed = 1;

struct BenchOptions {
  std::string device = "cuda";
  std::string dtype = "bf16";
  std::string recipe = "configs/train/tiny.toml";
  std::vector<int> batches = {256, 1024, 2048};
  int steps = 6;
  int num_clips = 512;
  int64_t latent_side = 8;
  double ceiling_tflop_per_s = 786;
  int large_blocks = 2;
  int large_steps = 3;
  int64_t large_frames = 11;
  int64_t large_side = 32;
  int64_t large_text = 512;
  aim::DitOptions large = aim::ReleasedDit();

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    using aim::Any, aim::Limits, aim::Range;
    visit("device", self.device, Any{}, "cpu, cuda or cuda:N");
    visit("dtype", self.dtype, Limits{"bf16", "f32"}, "of matrix products");
    visit("recipe", self.recipe, Any{}, "TOML of the small network and how it is trained");
    visit("batches", self.batches, Range{1, 65536}, "samples of a step of the small network");
    visit("steps", self.steps, Range{1, 1000}, "that are timed, of each batch");
    visit("num_clips", self.num_clips, Range{1, 1e6}, "of the small cache");
    visit("latent_side", self.latent_side, Range{1, 1000}, "of its frames: pixels / 8");
    visit("ceiling_tflop_per_s", self.ceiling_tflop_per_s, Range{0.001, 1e6},
          "of the device's largest matrix products");
    visit("large_blocks", self.large_blocks, Range{1, 100}, "last blocks that are trained");
    visit("large_steps", self.large_steps, Range{1, 1000}, "that are timed of the large network");
    visit("large_frames", self.large_frames, Range{1, 1000}, "of a segment: 1 + (frames - 1) / 4");
    visit("large_side", self.large_side, Range{1, 1000}, "of its frames: pixels / 16");
    visit("large_text", self.large_text, Range{1, 10000}, "rows of text features");
    visit("large", self.large, Any{}, "");
  }
  void Validate() const {
    aim::CheckRanges(*this);
    large.Validate();
  }
};

// A cache of random latents, gone with its folder at the end.
class RandomCache {
 public:
  struct Size {
    int num_clips;
    int64_t frames, side, text;
  };

  RandomCache(const aim::DitOptions& dit, const Size& size) {
    std::string name = (std::filesystem::temp_directory_path() / "aim-train-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
      throw aim::IoError({name, "not to be made", "a temporary folder", "set TMPDIR"});
    folder_ = name;
    const auto make = [&](int64_t) {
      return std::vector<aim::CachedClip>{{.encoded = Encoded(dit, size), .truth = Truth()}};
    };
    aim::BuildLatentCache(
        folder_ / "cache",
        {.key = "random", .num_items = size.num_clips, .start_worker = [&] { return make; }});
    cache_ = aim::LatentCache::Open(folder_ / "cache");
  }
  ~RandomCache() {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }
  RandomCache(const RandomCache&) = delete;
  RandomCache& operator=(const RandomCache&) = delete;

  const aim::LatentCache& operator*() const { return cache_; }
  const aim::LatentCache* operator->() const { return &cache_; }

 private:
  static aim::EncodedClip Encoded(const aim::DitOptions& dit, const Size& size) {
    const bool is_ray_token = dit.camera.mode == aim::CameraMode::kRayToken;
    const int64_t of_frame = is_ray_token ? size.side / dit.patch * (size.side / dit.patch) : 1;
    return {
        .latents = at::randn({kNumViews, 2, dit.in_channels, size.frames, size.side, size.side}),
        .camera = at::randn({kNumViews, size.frames, of_frame, dit.camera.features}),
        .text = at::randn({size.text, dit.text_dim})};
  }
  static aim::Clip Truth() {
    aim::Clip clip;
    clip.views.resize(kNumViews);
    clip.poses.resize(1);
    return clip;
  }

  std::filesystem::path folder_;
  aim::LatentCache cache_;
};

class Bench {
 public:
  explicit Bench(const BenchOptions& options)
      : options_(options),
        device_{.device = aim::ParseTrainingDevice(options.device).device, .is_queued = true},
        accelerator_(device_.device) {}

  json Run() const {
    json report{{"device", options_.device}, {"dtype", options_.dtype}, {"steps", options_.steps}};
    const aim::TrainRunOptions recipe = Recipe();
    const RandomCache cache(recipe.dit, {.num_clips = options_.num_clips,
                                         .frames = 1 + (recipe.clips.num_frames - 1) / 4,
                                         .side = options_.latent_side,
                                         .text = recipe.text.length});
    report["clip_bytes"] = cache->size_bytes() / cache->size();
    for (const int batch : options_.batches) {
      report["small"].push_back(InMemory(
          {{"batch", batch}}, [&](json& part) { TimeSmall(recipe, *cache, batch, part); }));
    }
    report["large"] =
        InMemory({{"trained_blocks", options_.large_blocks}}, [&](json& part) { TimeLarge(part); });
    return report;
  }

 private:
  // A part that a device has no memory for says so; the others are measured.
  json InMemory(json part, const std::function<void(json&)>& measure) const {
    accelerator_.Forget();
    try {
      measure(part);
    } catch (const c10::OutOfMemoryError&) {
      part["failed"] = "out of memory";
    }
    return part;
  }

  aim::TrainRunOptions Recipe() const {
    aim::TrainRunOptions recipe;
    aim::ApplyOptions(recipe, aim::ReadToml(options_.recipe), options_.recipe);
    Prepare(recipe.train);
    return recipe;
  }

  void Prepare(aim::TrainOptions& train) const {
    train.dtype = options_.dtype == "f32" ? aim::ComputeDtype::kF32 : aim::ComputeDtype::kBf16;
    train.warmup_steps = train.decay_steps = 0;
    train.num_workers = 0;
  }

  at::ScalarType Dtype() const { return options_.dtype == "f32" ? at::kFloat : at::kBFloat16; }

  // Multiplications and additions of the forward passes of a step.
  static double ForwardTflop(const aim::DitOptions& dit, const aim::StepPlan& plan,
                             const aim::LatentCache& cache) {
    const aim::EncodedBatch one = cache.GetStored({0}, false);
    const aim::CanvasShape shape = aim::ShapeOfCanvas(one.latents);
    double tflop = 0;
    for (const aim::SampleDraw& draw : plan.draws) {
      const int64_t frames = aim::PlanCanvas(*draw.mode, shape, dit).num_frames();
      const int64_t tokens = frames * (shape.height / dit.patch) * (shape.width / dit.patch);
      tflop += aim::ForwardTflop(dit, tokens, one.text.size(1));
    }
    return tflop;
  }

  void PutRate(double tflop, double seconds, json& part) const {
    part["step_s"] = seconds;
    part["step_tflop"] = tflop;
    part["tflop_per_s"] = tflop / seconds;
    part["share_of_ceiling"] = tflop / seconds / options_.ceiling_tflop_per_s;
  }

  // Of `num_steps` steps each; the first two choose algorithms and take memory.
  double TimeSteps(aim::Trainer& trainer, const aim::LatentCache& cache, int num_steps,
                   json& part) const {
    aim::LocalComm alone;
    for (int i = 0; i < 2; ++i) trainer.Step(cache, alone);
    double wait_s = 0;
    const double seconds = accelerator_.Seconds([&] {
      for (int i = 0; i < num_steps; ++i) wait_s += trainer.Step(cache, alone).data_s;
    });
    part["data_wait"] = wait_s / seconds;
    part["peak_gib"] = accelerator_.PeakGib();  // of steps alone
    return seconds / num_steps;
  }

  void TimeSmall(const aim::TrainRunOptions& recipe, const aim::LatentCache& cache, int batch,
                 json& part) const {
    aim::TrainOptions train = recipe.train;
    train.batch_size = batch;
    train.microbatch = std::min(batch, 4096);
    const at::Tensor null_text = at::zeros({recipe.text.length, recipe.dit.text_dim});
    aim::Trainer trainer(
        {recipe.dit, aim::InitialDitWeights(recipe.dit, aim::Rng(kSeed)), null_text}, train, kSeed,
        {}, device_);
    const aim::StepPlan plan = aim::PlanStep(train, kSeed, 0, {cache.size(), {}});
    const double step_s = TimeSteps(trainer, cache, options_.steps, part);
    part["parameters"] = CountOf(trainer.weights());
    part["samples_per_s"] = batch / step_s;
    PutRate(3 * ForwardTflop(recipe.dit, plan, cache), step_s, part);
    const Passes passes = TimePasses(trainer, recipe.dit, train, plan, cache);
    part["forward_share"] = passes.forward_s / step_s;
    part["backward_share"] = passes.backward_s / step_s;
    part["optimizer_share"] = TimeOptimizer(trainer, train) / step_s;
  }

  struct Passes {
    double forward_s = 0;
    double backward_s = 0;
  };

  // Those of a step, without what comes before and after them.
  Passes TimePasses(const aim::Trainer& trainer, const aim::DitOptions& options,
                    const aim::TrainOptions& train, const aim::StepPlan& plan,
                    const aim::LatentCache& cache) const {
    aim::WeightMap leaves;
    std::vector<at::Tensor> list;
    for (const auto& [name, weight] : trainer.weights()) {
      const at::ScalarType dtype = aim::LeafDtype(name, weight, Dtype());
      list.push_back(leaves[name] = weight.to(dtype).detach().requires_grad_(true));
    }
    const aim::Dit dit(options, leaves, Dtype());
    const at::Tensor null_text =
        at::zeros({cache.GetStored({0}, false).text.size(1), options.text_dim}).to(device_.device);
    const aim::AttentionOfAnySize attention(train);  // as the trainer has it
    Passes passes;
    for (const aim::Microbatch& draws : plan.microbatches) {
      std::vector<int64_t> clips;
      for (const aim::SampleDraw& draw : draws) clips.push_back(draw.clip);
      const aim::EncodedBatch host = cache.GetStored(clips, false);
      const aim::EncodedBatch batch{host.latents.to(device_.device), host.camera.to(device_.device),
                                    host.text.to(device_.device)};
      at::Tensor losses;
      const auto forward = [&] { losses = aim::SampleLosses(dit, train, draws, batch, null_text); };
      forward();
      losses.reset();  // with its graph: one is alive at a time
      passes.forward_s += accelerator_.Seconds(forward);
      passes.backward_s += accelerator_.Seconds(
          [&] { torch::autograd::grad({losses.sum()}, list, {}, false, false, true); });
    }
    return passes;
  }

  double TimeOptimizer(const aim::Trainer& trainer, const aim::TrainOptions& train) const {
    aim::WeightMap weights;
    std::vector<at::Tensor> grads;
    for (const auto& [name, weight] : trainer.weights()) {
      weights[name] = weight.clone();
      grads.push_back(at::randn_like(weight));
    }
    aim::Optimizer optimizer(train, weights, Dtype());
    const auto step = [&] { optimizer.StepQueued(weights, grads, 1e-6, 1.0); };
    step();
    return accelerator_.Seconds(step);
  }

  // Frozen weights in the type of the products, as they lie on a GPU anyhow.
  void TimeLarge(json& part) const {
    const aim::DitOptions& dit = options_.large;
    aim::TrainOptions train;
    Prepare(train);
    train.batch_size = train.microbatch = 1;
    train.gradient_checkpointing = true;
    train.timesteps = aim::TimestepDraw::kReleased;
    train.mix = {{"i2va", 1.0}};
    for (int i = 1; i <= options_.large_blocks; ++i)
      train.trained.push_back("blocks." + std::to_string(dit.num_layers - i));
    const aim::ShapeMap shapes = aim::DitWeightShapes(dit);
    const std::vector<std::string> trained = aim::TrainedNames(shapes, train);
    aim::WeightMap weights =
        aim::RandomWeights(shapes, device_.device, [&](const std::string& name) {
          const bool is_trained = std::ranges::find(trained, name) != trained.end();
          return is_trained || shapes.at(name).size() < 2
                     ? at::kFloat
                     : aim::DitWeightDtype(name, Dtype(), aim::Numerics::kAccurate);
        });
    const RandomCache cache(dit, {.num_clips = 2,
                                  .frames = options_.large_frames,
                                  .side = options_.large_side,
                                  .text = options_.large_text});
    aim::Trainer trainer({dit, std::move(weights), at::zeros({options_.large_text, dit.text_dim})},
                         train, kSeed, {}, device_);
    part["trained_numbers"] = CountOf(trainer.weights());
    const double step_s = TimeSteps(trainer, *cache, options_.large_steps, part);
    // A block that is trained is computed again and differentiated: three times a forward more.
    const double more = 3.0 * options_.large_blocks / dit.num_layers;
    const aim::StepPlan plan = aim::PlanStep(train, kSeed, 0, {cache->size(), {}});
    PutRate((1 + more) * ForwardTflop(dit, plan, *cache), step_s, part);
  }

  static int64_t CountOf(const aim::WeightMap& weights) {
    int64_t count = 0;
    for (const auto& [name, weight] : weights) count += weight.numel();
    return count;
  }

  BenchOptions options_;
  aim::TrainingDevice device_;
  aim::Accelerator accelerator_;
};

}  // namespace

int main(int argc, char** argv) {
  return aim::RunBench<BenchOptions>("train_bench", argc, argv, [](const BenchOptions& options) {
    at::manual_seed(kSeed);
    return Bench(options).Run();
  });
}
