#include "aim/bundle/diffusers_folder.h"

#include <ATen/ATen.h>

#include "aim/base/error.h"
#include "aim/bundle/weight_names.h"
#include "aim/format/json_reader.h"
#include "aim/tensor/shape.h"
#include "aim/tensor/weight_file.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kReleasedPool = 16;
constexpr char kDiffusersStem[] = "diffusion_pytorch_model";

// The weight file of a part: an index of several files comes before a single one, safetensors
// before torch's own format, which libraries give another name (`torch_stem`).
fs::path FindWeights(const fs::path& folder, const std::string& stem,
                     const std::string& torch_stem) {
  const std::pair<std::string, std::string> formats[] = {{stem, ".safetensors"},
                                                         {torch_stem, ".bin"}};
  for (const auto& [name, extension] : formats) {
    for (const char* variant : {"", ".fp16", ".bf16"}) {
      for (const std::string& candidate :
           {name + extension + ".index" + variant + ".json",
            name + variant + extension + ".index.json", name + variant + extension}) {
        if (fs::is_regular_file(folder / candidate)) return folder / candidate;
      }
    }
  }
  throw InputError({.where = folder.string(),
                    .got = fs::is_directory(folder) ? "a folder without weights" : "missing",
                    .expected = stem + ".safetensors, " + torch_stem + ".bin or an index of either",
                    .fix = ""});
}

void ReadIndex(const fs::path& path, DiffusersFolder& folder) {
  const JsonReader index = JsonReader::OfFile(path);
  const json none = json::array({nullptr, nullptr});
  for (const char* part : {"transformer_2", "image_encoder", "image_processor"}) {
    index.Require(part, none, {none, nullptr});
  }
  index.RequireNone("boundary_ratio", "models of two transformers are not known here");
  const json parts[][2] = {{"transformer", {"diffusers", "WanTransformer3DModel"}},
                           {"vae", {"diffusers", "AutoencoderKLWan"}},
                           {"text_encoder", {"transformers", "UMT5EncoderModel"}}};
  for (const auto& [part, kind] : parts) index.Require(part, kind, {kind});
  if (index.Flag("expand_timesteps", false)) folder.dit.timestep_mode = TimestepMode::kGivenZero;
}

// A size that cannot be is the file's fault here.
template <class Options>
void CheckSizes(const Options& options, const fs::path& path) {
  try {
    options.Validate();
  } catch (const ConfigError& error) {
    throw InputError({.where = path.string(),
                      .got = std::string("of sizes that cannot be (") + error.what() + ")",
                      .expected = "a model that can be computed",
                      .fix = ""});
  }
}

void ReadTransformer(const fs::path& path, DitOptions& dit) {
  const JsonReader config = JsonReader::OfFile(path);
  config.Require("_class_name", "WanTransformer3DModel", {"WanTransformer3DModel"});
  config.RequireNone("image_dim", "image conditioning is not known here");
  config.RequireNone("added_kv_proj_dim", "image conditioning is not known here");
  config.RequireNone("pos_embed_seq_len", "image conditioning is not known here");
  config.Require("qk_norm", "rms_norm_across_heads", {"rms_norm_across_heads"});
  config.Require("cross_attn_norm", true, {true});
  const std::vector<int> patch = config.Ints("patch_size", {1, 2, 2});
  if (patch.size() != 3 || patch[0] != 1 || patch[1] != patch[2]) {
    config.Fail("patch_size", "[1, p, p]: one frame and as many rows as columns");
  }
  dit.patch = patch[1];
  dit.num_heads = config.Int("num_attention_heads", 40);
  dit.dim = dit.num_heads * config.Int("attention_head_dim", 128);
  dit.in_channels = config.Int("in_channels", 16);
  dit.out_channels = config.Int("out_channels", dit.in_channels);
  dit.text_dim = config.Int("text_dim", 4096);
  dit.freq_dim = config.Int("freq_dim", 256);
  dit.ffn_dim = config.Int("ffn_dim", 13824);
  dit.num_layers = config.Int("num_layers", 40);
  dit.eps = config.Number("eps", 1e-6);
  CheckSizes(dit, path);
}

void ReadVae(const fs::path& path, WanVaeOptions& vae) {
  const JsonReader config = JsonReader::OfFile(path);
  config.Require("_class_name", "AutoencoderKLWan", {"AutoencoderKLWan"});
  config.RequireNone("attn_scales", "attention inside the stages is not known here");
  vae = Wan21VaeOptions();
  vae.base_dim = config.Int("base_dim", 96);
  vae.decoder_base_dim = config.Int("decoder_base_dim", vae.base_dim);
  vae.z_dim = config.Int("z_dim", 16);
  vae.dim_mult = config.Ints("dim_mult", {1, 2, 4, 4});
  vae.num_res_blocks = config.Int("num_res_blocks", 2);
  vae.temporal_downsample = config.Flags("temperal_downsample", {false, true, true});
  vae.latents_mean = config.Numbers("latents_mean", vae.latents_mean);
  vae.latents_std = config.Numbers("latents_std", vae.latents_std);
  vae.is_residual = config.Flag("is_residual", false);
  vae.patch_size = config.Int("patch_size", 1);
  for (const char* key : {"in_channels", "out_channels"}) {
    if (config.Int(key, 3) == vae.pixel_channels()) continue;
    config.Fail(key, std::to_string(vae.pixel_channels()) + ": 3 colours times patch_size^2");
  }
  CheckSizes(vae, path);
}

void ReadText(const fs::path& path, Umt5Options& text) {
  const JsonReader config = JsonReader::OfFile(path);
  config.Require("model_type", "umt5", {"umt5"});
  config.Require("feed_forward_proj", "gated-gelu", {"gated-gelu"});
  config.Require("dense_act_fn", "gelu_new", {"gelu_new"});
  config.Require("is_gated_act", true, {true});
  config.Require("pad_token_id", 0, {0});
  text.vocab_size = config.Int("vocab_size", 250112);
  text.dim = config.Int("d_model", 512);
  text.head_dim = config.Int("d_kv", 64);
  text.num_heads = config.Int("num_heads", 6);
  text.ffn_dim = config.Int("d_ff", 1024);
  text.num_layers = config.Int("num_layers", 8);
  text.num_buckets = config.Int("relative_attention_num_buckets", 32);
  text.max_distance = config.Int("relative_attention_max_distance", 128);
  text.eps = config.Number("layer_norm_epsilon", 1e-6);
  CheckSizes(text, path);
}

void DetectCamera(const fs::path& path, DitOptions& dit) {
  const WeightMap weights = OriginalDitNames(OpenWeights(path).tensors, path.string());
  const auto encoder = weights.find("blocks.0.cam_encoder.2.weight");
  if (encoder == weights.end()) return;
  CheckShape(encoder->second, {dit.dim, "K"}, path.string() + ": " + encoder->first);
  const int64_t features = encoder->second.size(1);
  if (features == 0 || features % (kReleasedPool * kReleasedPool) != 0 || features > (1 << 20)) {
    throw InputError({.where = path.string() + ": " + encoder->first,
                      .got = ShapeText(encoder->second.sizes()),
                      .expected = "a multiple of 256 columns: 16 x 16 pooled camera latents",
                      .fix = ""});
  }
  dit.camera.mode = CameraMode::kPooledLatent;
  dit.camera.features = static_cast<int>(features);
  dit.camera.pool = kReleasedPool;
  dit.camera.frame = CameraFrame::kRelative;
  dit.camera.axes = CameraAxes::kRlbench;
  dit.camera.projector = weights.contains("blocks.0.projector.weight");
}

// One note a key whose value is not the one that is sampled with.
void NoteDifferences(const JsonReader& config, const json& expected, DiffusersFolder& folder) {
  for (const auto& [key, value] : expected.items()) {
    const json found = config.object().value(key, value);
    if (found == value) continue;
    folder.notes.push_back(config.where() + ": " + key + " is " + found.dump() +
                           "; sampling here goes by " + value.dump());
  }
}

// The noise levels of Diffusers' class; what it would do of others is noted by the caller.
DiffusersScheduler ReadEuler(const JsonReader& config) {
  DiffusersScheduler scheduler{.kind = SamplerKind::kEuler, .shift = config.Number("shift", 1.0)};
  scheduler.sigma_terminal = config.Number("shift_terminal", 0.0);
  if (!(scheduler.sigma_terminal >= 0 && scheduler.sigma_terminal < 1)) {
    config.Fail("shift_terminal", "a noise level in [0, 1)");
  }
  if (config.Flag("use_karras_sigmas", false)) {
    scheduler.spacing = SigmaSpacing::kKarras;
  } else if (config.Flag("use_exponential_sigmas", false)) {
    scheduler.spacing = SigmaSpacing::kExponential;
  }
  return scheduler;
}

void ReadScheduler(const fs::path& path, DiffusersFolder& folder) {
  if (!fs::exists(path)) {
    folder.notes.push_back(path.string() + " is missing; sampling is by UniPC with shift 5");
    return;
  }
  const JsonReader config = JsonReader::OfFile(path);
  const std::string kind = config.Text("_class_name", "");
  const json common = {
      {"num_train_timesteps", 1000}, {"use_dynamic_shifting", false}, {"use_beta_sigmas", false}};
  NoteDifferences(config, common, folder);
  if (kind == "FlowMatchEulerDiscreteScheduler") {
    folder.scheduler = ReadEuler(config);
    NoteDifferences(config, {{"invert_sigmas", false}, {"stochastic_sampling", false}}, folder);
  } else if (kind == "UniPCMultistepScheduler") {
    folder.scheduler = {.kind = SamplerKind::kUnipc, .shift = config.Number("flow_shift", 1.0)};
    NoteDifferences(config,
                    {{"shift_terminal", nullptr},
                     {"use_karras_sigmas", false},
                     {"use_exponential_sigmas", false},
                     {"prediction_type", "flow_prediction"},
                     {"use_flow_sigmas", true},
                     {"solver_order", 2},
                     {"solver_type", "bh2"},
                     {"predict_x0", true},
                     {"lower_order_final", true},
                     {"final_sigmas_type", "zero"},
                     {"disable_corrector", json::array()},
                     {"thresholding", false}},
                    folder);
  } else {
    folder.notes.push_back(path.string() + ": _class_name is " + json(kind).dump() +
                           "; sampling here is by UniPC with shift 5");
  }
}

}  // namespace

DiffusersFolder ReadDiffusersFolder(const fs::path& path) {
  DiffusersFolder folder;
  ReadIndex(path / "model_index.json", folder);
  ReadTransformer(path / "transformer" / "config.json", folder.dit);
  ReadVae(path / "vae" / "config.json", folder.vae);
  ReadText(path / "text_encoder" / "config.json", folder.text);
  folder.dit_weights = FindWeights(path / "transformer", kDiffusersStem, kDiffusersStem);
  folder.vae_weights = FindWeights(path / "vae", kDiffusersStem, kDiffusersStem);
  folder.text_weights = FindWeights(path / "text_encoder", "model", "pytorch_model");
  DetectCamera(folder.dit_weights, folder.dit);
  ReadScheduler(path / "scheduler" / "scheduler_config.json", folder);
  if (fs::is_directory(path / "tokenizer")) folder.tokenizer = path / "tokenizer";
  return folder;
}

}  // namespace aim
