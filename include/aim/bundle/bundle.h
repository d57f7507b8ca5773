// A model as a folder: model.toml, which says what it is, and its weight files.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/codec/action_image.h"
#include "aim/model/autoencoder.h"
#include "aim/model/dit.h"
#include "aim/model/dit_options.h"
#include "aim/model/lora.h"
#include "aim/model/pca_autoencoder.h"
#include "aim/model/wan_vae_options.h"
#include "aim/recipe/sampling_options.h"
#include "aim/recipe/wan_vae_run_options.h"
#include "aim/tensor/weights.h"
#include "aim/text/hashed_words.h"
#include "aim/text/text_encoder.h"
#include "aim/text/umt5.h"

namespace aim {

enum class AutoencoderKind { kPca, kWanVae };
constexpr auto WordsOf(AutoencoderKind) {
  return WordTable<AutoencoderKind, 2>{
      {{AutoencoderKind::kPca, "pca"}, {AutoencoderKind::kWanVae, "wan_vae"}}};
}

struct AutoencoderOptions {
  AutoencoderKind kind = AutoencoderKind::kPca;
  std::string file = "autoencoder.safetensors";
  PcaOptions pca;         // read if kind is pca
  WanVaeOptions wan_vae;  // read if kind is wan_vae

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("kind", self.kind, Any{}, "what turns video into latents");
    visit("file", self.file, Any{}, "its weights: a path, or a name inside the bundle");
    visit("pca", self.pca, Any{}, "");
    visit("wan_vae", self.wan_vae, Any{}, "");
  }
  int64_t channels() const;
  int64_t spatial_factor() const;
};

enum class TextKind { kHashedWords, kUmt5 };
constexpr auto WordsOf(TextKind) {
  return WordTable<TextKind, 2>{
      {{TextKind::kHashedWords, "hashed_words"}, {TextKind::kUmt5, "umt5"}}};
}

struct TextOptions {
  TextKind kind = TextKind::kHashedWords;
  HashedWordsOptions hashed_words;  // read if kind is hashed_words
  std::string file = "text_encoder.safetensors";
  std::string tokenizer_file = "tokenizer.json";
  Umt5Options umt5;  // read, with the two files, if kind is umt5

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("kind", self.kind, Any{}, "what turns instructions into rows");
    visit("hashed_words", self.hashed_words, Any{}, "");
    visit("umt5.file", self.file, Any{}, "its weights: a path, or a name inside the bundle");
    visit("umt5.tokenizer_file", self.tokenizer_file, Any{},
          "tokenizer.json or a SentencePiece model: a path, or a name inside the bundle");
    visit("umt5", self.umt5, Any{}, "");
  }
  int64_t dim() const;
};

// model.toml. Defaults are those of the small model.
struct BundleConfig {
  std::string preset = "tiny";
  std::string revision;  // of the code that wrote the bundle
  std::vector<std::string> trained_modes;
  double fps = 8.0;
  int image_height = 64;
  int image_width = 64;
  int num_frames = 17;
  int num_views = 2;
  SamplingOptions diffusion = {.steps = 1};  // how it is sampled unless the user says otherwise
  std::string dit_file = "dit.safetensors";
  std::string adapter;
  DitOptions dit;
  AutoencoderOptions autoencoder;
  TextOptions text;
  ActionImageSpec action_image;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("preset", self.preset, Any{}, "name of the architecture");
    visit("revision", self.revision, Any{}, "revision of the code that wrote the bundle");
    visit("trained_modes", self.trained_modes, Any{},
          "modes that were trained; others are refused");
    visit("fps", self.fps, Range{0.01, 1000}, "frames a second of training clips");
    visit("image_height", self.image_height, Range{1, 8192}, "pixels");
    visit("image_width", self.image_width, Range{1, 8192}, "pixels");
    visit("num_frames", self.num_frames, Range{1, 4097}, "frames a clip has");
    visit("num_views", self.num_views, Range{1, 16}, "cameras a clip has");
    visit("diffusion", self.diffusion, Any{}, "");
    visit("dit_file", self.dit_file, Any{}, "the network's weights: a path, or a name inside");
    visit("adapter", self.adapter, Any{},
          "adapter (LoRA) that the network is used with: a folder of adapters/; empty = none");
    visit("dit", self.dit, Any{}, "");
    visit("autoencoder", self.autoencoder, Any{}, "");
    visit("text", self.text, Any{}, "");
    visit("action_image.anchor_m", self.action_image.anchor_m, Range{0.001, 10},
          "distance of the second and third anchor from the tip, metres");
    visit("action_image.sigma_fraction", self.action_image.sigma_fraction, Range{0.001, 1},
          "width of a Gaussian as a fraction of the smaller image side");
    visit("action_image.pedestal", self.action_image.pedestal, Range{0, 0.9},
          "background of the third channel when the gripper is open");
  }

  // Ranges, and what must fit together: channels, text width, ray features, image size and latent
  // grid, number of frames. Throws ConfigError; `where` (a file) is named first.
  void Validate(const std::string& where = "") const;
};

// How the parts of a bundle are brought into memory.
struct LoadOptions {
  c10::Device device{c10::kCPU};
  // Of weights and matrix products: float32, or bfloat16 (half the memory; for CUDA, and for CPUs
  // with bfloat16 units).
  at::ScalarType dtype = at::kFloat;
  // The network's large matrices as eight-bit floats (model/dit_fp8.h), with dtype bfloat16.
  bool fp8 = false;
  Numerics numerics = Numerics::kAccurate;
  WanVaeRunOptions vae;  // how a wan_vae is run
  // Autoencoder and text encoder are read when they are needed and dropped when asked
  // (ReleaseWeights): the network has the memory while it runs.
  bool offload = false;
  std::filesystem::path text_cache = {};  // folder for the rows of prompts seen before; empty: none
  std::string adapter = {};  // FindAdapter (adapter.h): empty = the bundle's own, "none" = none
};

// Everything a bundle holds, ready to use.
struct Bundle {
  BundleConfig config;
  Dit dit;
  std::unique_ptr<Autoencoder> autoencoder;
  std::unique_ptr<TextEncoder> text;
};

// Reads model.toml alone. Every key must be there, but for the options of autoencoders and text
// encoders of another kind. Throws InputError if folder or file is missing, ConfigError naming the
// key, the nearest known one, or all that are missing.
BundleConfig LoadBundleConfig(const std::filesystem::path& path);

// Reads and checks all of it. Weight files may be of any kind OpenWeights reads and any naming
// bundle/weight_names.h knows. Throws as LoadBundleConfig, InputError naming file and weights:
// missing, unknown, of wrong shape (all of them), NaN or Inf, and ConfigError, before anything is
// read, if the memory does not suffice.
Bundle LoadBundle(const std::filesystem::path& path, const LoadOptions& options = {});

// The same, one part at a time; `config` is LoadBundleConfig(path). An adapter is added to the
// matrices as they are read.
Dit LoadDit(const std::filesystem::path& path, const BundleConfig& config,
            const LoadOptions& options = {});
std::unique_ptr<Autoencoder> LoadAutoencoder(const std::filesystem::path& path,
                                             const BundleConfig& config,
                                             const LoadOptions& options = {});
std::unique_ptr<TextEncoder> LoadTextEncoder(const std::filesystem::path& path,
                                             const BundleConfig& config,
                                             const LoadOptions& options = {});

// The network's weights as they are stored, checked and mapped, without an adapter. Throws
// InputError for a network stored in eight bits, of which only LoadDit makes one.
WeightMap OpenDit(const std::filesystem::path& path, const BundleConfig& config);

// Weights of a umt5 text encoder, for Umt5Forward.
WeightMap LoadTextWeights(const std::filesystem::path& path, const BundleConfig& config,
                          const LoadOptions& options = {});

// A config but for what its kinds do not read; the same as model.toml.
nlohmann::json BundleConfigJson(const BundleConfig& config);
std::string BundleConfigText(const BundleConfig& config);

// Writes a bundle with a pca autoencoder and hashed words, whole or not at all; an existing one is
// replaced. `config.revision` and the file names are set here. DiT weights are stored as
// `dit_storage` (float16 halves the file and keeps 11 bits), the autoencoder's as float32. Throws
// what LoadBundle would, before writing.
void WriteBundle(const std::filesystem::path& path, BundleConfig config, const WeightMap& dit,
                 const WeightMap& autoencoder, at::ScalarType dit_storage = at::kHalf);

// The same for a network that was trained on from the bundle `initial`: autoencoder and text
// encoder, of whatever kind, stay those of `initial`. Their files are linked into the new bundle,
// copied if it is on another file system, and files outside of `initial` are referred to as there.
void WriteBundle(const std::filesystem::path& path, BundleConfig config, const WeightMap& dit,
                 const std::filesystem::path& initial, at::ScalarType dit_storage = at::kHalf);

// The same for an adapter that was trained beside the network of `initial`, which stays as it is,
// its files linked as well: it becomes the adapter `name`, with which the bundle is then used.
// Other adapters of `initial` are taken along.
void WriteBundle(const std::filesystem::path& path, BundleConfig config, const Lora& adapter,
                 const std::string& name, const std::filesystem::path& initial);

// A bundle without its network, for the readers of its other parts (LoadAutoencoder,
// LoadTextEncoder): what was encoded can be decoded, and more be encoded the same way. From weights
// of a pca autoencoder, or of the bundle `initial`, as above.
void WriteEncoders(const std::filesystem::path& path, BundleConfig config,
                   const WeightMap& autoencoder);
void WriteEncoders(const std::filesystem::path& path, BundleConfig config,
                   const std::filesystem::path& initial);

}  // namespace aim
