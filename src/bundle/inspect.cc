#include "aim/bundle/inspect.h"

#include <c10/core/ScalarType.h>
#include <c10/util/accumulate.h>

#include <map>
#include <set>
#include <string>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/bundle/bundle.h"
#include "aim/bundle/diffusers_folder.h"
#include "aim/bundle/open_part.h"
#include "aim/bundle/options_of_weights.h"
#include "aim/bundle/scaled_weights.h"
#include "aim/format/json_reader.h"
#include "aim/model/dit_fp8.h"
#include "aim/model/wan_vae.h"

namespace aim {
namespace {

constexpr char kBundleFile[] = "model.toml";
constexpr char kPipelineFile[] = "model_index.json";

int64_t CountParameters(const WeightMap& weights) {
  int64_t count = 0;
  for (const auto& [name, weight] : weights) count += weight.numel();
  return count;
}

// Throws unless all are finite. Nothing is copied: weights of one type pass as
// they are.
void CheckValues(const WeightMap& weights, const std::string& where) {
  std::map<at::ScalarType, WeightMap> by_type;
  for (const auto& [name, weight] : weights) by_type[weight.scalar_type()][name] = weight;
  for (const auto& [type, group] : by_type) LoadWeights(group, type, at::kCPU, where);
}

// One weight file of a bundle, checked without being loaded.
nlohmann::json InspectPart(const std::filesystem::path& path, const ShapeMap& shapes) {
  const WeightFile file = OpenWeights(path);
  WeightMap weights = UsablePart(file, path.string()).weights;
  CheckValues(weights, path.string());
  const size_t num_scaled = TakeRowScales(weights).size();
  CheckWeights(weights, shapes, path.string());
  uintmax_t bytes = 0;
  for (const std::filesystem::path& part : file.files) bytes += std::filesystem::file_size(part);
  return {{"bytes", bytes},
          {"tensors", weights.size()},
          {"scaled", num_scaled},
          {"parameters", CountParameters(weights)},
          {"fingerprint", Fingerprint(file.tensors)}};
}

// What --dtype fp8 multiplies in eight bits; null where it is refused.
nlohmann::json DescribeFp8(const DitOptions& options) {
  if (WhyNotScaled(options)) return nullptr;
  const ShapeMap shapes = DitWeightShapes(options);
  std::set<std::string> matrices;
  int64_t parameters = 0;
  for (const std::string& name : ScaledMatrices(options)) {
    parameters += c10::multiply_integers(shapes.at(name + ".weight"));
    matrices.insert(name.substr(name.find('.', name.find('.') + 1) + 1));  // behind "blocks.3."
  }
  return {{"blocks", "1 to " + std::to_string(options.num_layers - 2)},
          {"matrices", matrices},
          {"parameters", parameters}};
}

nlohmann::json InspectBundle(const std::filesystem::path& path) {
  const BundleConfig config = LoadBundleConfig(path);
  nlohmann::json report = {
      {"kind", "bundle"}, {"path", path.string()}, {"config", BundleConfigJson(config)}};
  nlohmann::json& files = report["files"];
  files[config.dit_file] = InspectPart(path / config.dit_file, DitWeightShapes(config.dit));
  const AutoencoderOptions& code = config.autoencoder;
  if (code.kind == AutoencoderKind::kPca)
    LoadAutoencoder(path, config);  // small; its values must fit together
  files[code.file] = InspectPart(path / code.file, code.kind == AutoencoderKind::kPca
                                                       ? PcaAutoencoder::WeightShapes(code.pca)
                                                       : WanVaeWeightShapes(code.wan_vae));
  if (config.text.kind == TextKind::kUmt5) {
    files[config.text.file] =
        InspectPart(path / config.text.file, Umt5WeightShapes(config.text.umt5));
    Tokenizer::Open(path / config.text.tokenizer_file);
  }
  int64_t parameters = 0;
  for (const auto& [name, part] : files.items()) parameters += part["parameters"].get<int64_t>();
  report["parameters"] = parameters;
  report["fp8"] = DescribeFp8(config.dit);
  return report;
}

std::string Summary(const DitOptions& options) {
  std::string text = "Wan DiT, " + CountText(options.num_layers, "layer") + ", dim " +
                     std::to_string(options.dim) + ", ffn " + std::to_string(options.ffn_dim) +
                     ", latent channels " + std::to_string(options.in_channels) + " in and " +
                     std::to_string(options.out_channels) + " out, text features " +
                     std::to_string(options.text_dim);
  if (options.camera.mode == CameraMode::kNone) return text + ", no cameras";
  text += ", camera conditioning by " + std::to_string(options.camera.features) + " features";
  return text + (options.camera.projector ? " and a projector" : "");
}

std::string Summary(const WanVaeOptions& options) {
  return std::string(options.is_residual ? "Wan 2.2" : "Wan 2.1") + " VAE, " +
         CountText(options.z_dim, "latent channel") + ", a latent for " +
         std::to_string(options.spatial_factor()) + " x " +
         std::to_string(options.spatial_factor()) + " pixels and " +
         std::to_string(options.temporal_factor()) + " frames, encoder " +
         std::to_string(options.base_dim) + ", decoder " + std::to_string(options.decoder_base_dim);
}

std::string Summary(const Umt5Options& options) {
  return "UMT5 encoder, " + CountText(options.num_layers, "layer") + ", dim " +
         std::to_string(options.dim) + ", " + CountText(options.num_heads, "head") + ", ffn " +
         std::to_string(options.ffn_dim) + ", " + CountText(options.vocab_size, "token");
}

template <class Options>
void Describe(const Options& options, nlohmann::json& report) {
  report["summary"] = Summary(options);
  report["sizes"] = OptionsToJson(options);
}

void DescribeArchitecture(const WeightFile& file, const std::string& where,
                          nlohmann::json& report) {
  const Architecture architecture = DetectArchitecture(file.tensors);
  report["architecture"] = ArchitectureName(architecture);
  try {
    const WeightMap weights = UsablePart(file, where, architecture).weights;
    report["notes"] = NotesOn(file, architecture, where);
    if (architecture == Architecture::kDit) Describe(DitOptionsOf(weights, where), report);
    if (architecture == Architecture::kUmt5) Describe(Umt5OptionsOf(weights, where), report);
    if (architecture == Architecture::kVae22 || architecture == Architecture::kVae21) {
      Describe(WanVaeOptionsOf(weights, where), report);
    }
  } catch (const InputError& error) {
    report["problem"] = error.what();
  }
}

nlohmann::json InspectFile(const std::filesystem::path& path, const std::string& key = "") {
  const WeightFile file = OpenWeights(path, key);
  CheckRecords(file.tensors);
  uintmax_t bytes = 0;
  nlohmann::json files = nlohmann::json::array();
  for (const std::filesystem::path& part : file.files) {
    bytes += std::filesystem::file_size(part);
    files.push_back(part.string());
  }
  nlohmann::json report = {{"kind", file.format},
                           {"path", path.string()},
                           {"files", files},
                           {"bytes", bytes},
                           {"parameters", CountParameters(file.tensors)},
                           {"fingerprint", Fingerprint(file.tensors)},
                           {"metadata", file.metadata},
                           {"key", file.key},
                           {"other_keys", file.other_keys},
                           {"dtypes", nlohmann::json::object()},
                           {"tensors", nlohmann::json::array()}};
  DescribeArchitecture(file, path.string(), report);
  std::map<std::string, int64_t> dtypes;
  for (const auto& [name, weight] : file.tensors) {
    const std::string dtype = c10::toString(weight.scalar_type());
    ++dtypes[dtype];
    report["tensors"].push_back(
        {{"name", name}, {"dtype", dtype}, {"shape", weight.sizes().vec()}});
  }
  report["dtypes"] = dtypes;
  return report;
}

// A part of a pipeline: what InspectFile says, without the list of tensors, and its class.
nlohmann::json InspectComponent(const std::filesystem::path& weights, const nlohmann::json& entry) {
  nlohmann::json part = InspectFile(weights);
  part["class"] = entry.at(1);
  part["tensors"] = part["tensors"].size();
  for (const char* key : {"kind", "metadata"}) part.erase(key);
  return part;
}

nlohmann::json InspectPipeline(const std::filesystem::path& path) {
  const DiffusersFolder folder = ReadDiffusersFolder(path);
  const JsonReader index = JsonReader::OfFile(path / kPipelineFile);
  nlohmann::json report = {{"kind", "diffusers pipeline"},
                           {"path", path.string()},
                           {"class", index.Text("_class_name", "")},
                           {"parts", nlohmann::json::object()},
                           {"notes", folder.notes}};
  int64_t parameters = 0;
  const std::map<std::string, std::filesystem::path> weights = {
      {"transformer", folder.dit_weights},
      {"vae", folder.vae_weights},
      {"text_encoder", folder.text_weights}};
  for (const auto& [name, entry] : index.object().items()) {
    if (!entry.is_array() || entry.size() != 2 || !entry[1].is_string())
      continue;  // an option, or a part that is left out
    const auto found = weights.find(name);
    if (found == weights.end()) {
      report["parts"][name] = {{"class", entry[1]}};
      continue;
    }
    const nlohmann::json part = InspectComponent(found->second, entry);
    parameters += part["parameters"].get<int64_t>();
    report["parts"][name] = part;
  }
  report["parameters"] = parameters;
  return report;
}

}  // namespace

nlohmann::json InspectModel(const std::filesystem::path& path, const std::string& key) {
  const bool is_bundle = std::filesystem::exists(path / kBundleFile);
  const bool is_pipeline = std::filesystem::exists(path / kPipelineFile);
  if (!is_bundle && !is_pipeline) return InspectFile(path, key);
  if (!key.empty()) {
    throw ConfigError({.where = "--key",
                       .got = Excerpt(key),
                       .expected = "none: " + path.string() + " is a whole model",
                       .fix = "name one of its weight files"});
  }
  return is_bundle ? InspectBundle(path) : InspectPipeline(path);
}

}  // namespace aim
