#include "aim/bundle/adapter.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"
#include "aim/bundle/weight_names.h"
#include "aim/tensor/safetensors.h"
#include "aim/tensor/weight_file.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr char kPeftFile[] = "adapter_model.safetensors";
constexpr char kPeftConfig[] = "adapter_config.json";
constexpr char kDiffusersFile[] = "pytorch_lora_weights.safetensors";
constexpr char kDiffusersMetadata[] = "lora_adapter_metadata";

enum class Factor { kA, kB, kAlpha };

struct Ending {
  std::string_view text;
  Factor factor;
};
constexpr std::array<Ending, 9> kEndings = {{{kLoraA, Factor::kA},
                                             {".lora_A.default.weight", Factor::kA},
                                             {".lora_down.weight", Factor::kA},
                                             {".lora.down.weight", Factor::kA},
                                             {kLoraB, Factor::kB},
                                             {".lora_B.default.weight", Factor::kB},
                                             {".lora_up.weight", Factor::kB},
                                             {".lora.up.weight", Factor::kB},
                                             {".alpha", Factor::kAlpha}}};

[[noreturn]] void Refuse(const fs::path& where, const std::string& got, const std::string& fix) {
  throw InputError({.where = where.string(),
                    .got = got,
                    .expected = "an adapter of two factors a matrix (LoRA)",
                    .fix = fix});
}

// Tensors of a file by factor, each under the name of its matrix's weight.
std::map<Factor, WeightMap> SplitFactors(const WeightMap& tensors, const fs::path& where) {
  std::map<Factor, WeightMap> factors;
  std::vector<std::string> others;
  for (const auto& [name, tensor] : tensors) {
    const auto* ending = std::ranges::find_if(
        kEndings, [&, &stored = name](const Ending& e) { return stored.ends_with(e.text); });
    if (ending == kEndings.end()) {
      others.push_back(name);
      continue;
    }
    const std::string matrix = name.substr(0, name.size() - ending->text.size());
    factors[ending->factor][matrix + ".weight"] = tensor;
  }
  if (factors[Factor::kA].empty()) Refuse(where, "without any", "give one that has lora_A, lora_B");
  if (!others.empty()) {
    Refuse(where,
           "holding " + CountText(std::ssize(others), "tensor") +
               " beside factors: " + Excerpt(others.front()),
           "add it to the model with the program that trained it");
  }
  return factors;
}

// What an adapter's own description says of its weight.
struct Scaling {
  double alpha = 0;  // 0: not said
  std::map<std::string, double> alpha_of = {};
  bool by_root = false;

  double Of(const std::string& matrix, int64_t rank) const {
    double own = alpha;
    for (const auto& [word, value] : alpha_of) {
      if (HoldsWord(matrix, word)) own = value;
    }
    if (own == 0) return 1;
    return by_root ? own / std::sqrt(static_cast<double>(rank)) : own / static_cast<double>(rank);
  }
};

// PEFT's configuration, its keys behind `prefix`.
Scaling ScalingOf(const nlohmann::json& config, const std::string& prefix, const fs::path& where) {
  const auto number = [&](const char* key) {
    const auto found = config.find(prefix + key);
    return found != config.end() && found->is_number() ? found->get<double>() : 0.0;
  };
  const auto is_on = [&](const char* key) {
    const auto found = config.find(prefix + key);
    return found != config.end() && found->is_boolean() && found->get<bool>();
  };
  if (is_on("use_dora"))
    Refuse(where, "of DoRA", "add it to the model with the program that trained it");
  Scaling scaling{.alpha = number("lora_alpha"), .by_root = is_on("use_rslora")};
  const auto own = config.find(prefix + "alpha_pattern");
  if (own != config.end() && own->is_object()) {
    for (const auto& [word, value] : own->items()) {
      if (value.is_number()) scaling.alpha_of[word] = value.get<double>();
    }
  }
  return scaling;
}

nlohmann::json ReadObject(const std::string& text, const fs::path& where) {
  nlohmann::json object = ParseJson(text);
  if (!object.is_object())
    throw FormatError({where.string(), "no JSON object", "the adapter's configuration", ""});
  return object;
}

// Where the tensors are, and what is said of them.
struct Source {
  fs::path file;
  fs::path config;  // empty: none
};

Source SourceOf(const fs::path& path) {
  if (!fs::is_directory(path)) return {path, {}};
  if (fs::exists(path / kPeftFile)) {
    if (fs::exists(path / kPeftConfig)) return {path / kPeftFile, path / kPeftConfig};
    throw InputError({.where = (path / kPeftConfig).string(),
                      .got = "missing",
                      .expected = "the adapter's rank and alpha, as PEFT writes them",
                      .fix = "name " + std::string(kPeftFile) + " itself if alpha is the rank"});
  }
  if (fs::exists(path / kDiffusersFile)) return {path / kDiffusersFile, {}};
  throw InputError({.where = path.string(),
                    .got = "without " + std::string(kPeftFile) + " and " + kDiffusersFile,
                    .expected = "a folder of PEFT or Diffusers, or a weight file",
                    .fix = ""});
}

Scaling ScalingOf(const Source& source, const WeightFile& file) {
  if (!source.config.empty())
    return ScalingOf(ReadObject(ReadFile(source.config), source.config), "", source.config);
  const auto metadata = file.metadata.find(kDiffusersMetadata);
  if (metadata == file.metadata.end()) return {};
  return ScalingOf(ReadObject(metadata->second, source.file), "transformer.", source.file);
}

// Ends in ".weight", as OriginalDitNames returns it.
std::string MatrixOf(const std::string& weight) {
  return weight.substr(0, weight.size() - std::string_view(".weight").size());
}

int64_t RankOf(const at::Tensor& a) { return a.dim() == 2 ? a.size(0) : 1; }

// The weight of each matrix.
std::map<std::string, double> ScalesOf(const WeightMap& a, const WeightMap& alphas,
                                       const Scaling& scaling, const fs::path& where) {
  std::map<std::string, double> scales;
  for (const auto& [weight, tensor] : a) {
    const auto alpha = alphas.find(weight);
    if (alpha != alphas.end() && alpha->second.numel() != 1)
      Refuse(where, MatrixOf(weight) + ".alpha of several numbers", "");
    scales[weight] = alpha == alphas.end() ? scaling.Of(MatrixOf(weight), RankOf(tensor))
                                           : alpha->second.to(at::kDouble).item<double>() /
                                                 static_cast<double>(RankOf(tensor));
  }
  return scales;
}

// The rank of most matrices, and those of the others.
struct Ranks {
  int64_t usual = 0;
  std::map<std::string, int64_t> others;
};

Ranks RanksOf(const Lora& lora) {
  std::map<int64_t, int64_t> counts;
  std::map<std::string, int64_t> ranks;
  for (const auto& [name, tensor] : lora.weights) {
    if (!name.ends_with(kLoraA)) continue;
    ranks[LoraMatrix(name).value()] = tensor.size(0);
    ++counts[tensor.size(0)];
  }
  Ranks result;
  result.usual =
      std::ranges::max_element(counts, {}, [](const auto& c) { return c.second; })->first;
  std::erase_if(ranks, [&](const auto& entry) { return entry.second == result.usual; });
  result.others = std::move(ranks);
  return result;
}

nlohmann::json PeftConfig(const Lora& lora) {
  const Ranks ranks = RanksOf(lora);
  nlohmann::json alphas = nlohmann::json::object(), other_ranks = nlohmann::json::object();
  for (const auto& [matrix, rank] : ranks.others) {
    other_ranks[matrix] = rank;
    alphas[matrix] = lora.scale * static_cast<double>(rank);
  }
  std::vector<std::string> targets;
  for (const auto& [name, tensor] : lora.weights) {
    if (name.ends_with(kLoraA)) targets.push_back(LoraMatrix(name).value());
  }
  return {{"peft_type", "LORA"},
          {"task_type", nullptr},
          {"base_model_name_or_path", nullptr},
          {"r", ranks.usual},
          {"lora_alpha", lora.scale * static_cast<double>(ranks.usual)},
          {"rank_pattern", other_ranks},
          {"alpha_pattern", alphas},
          {"target_modules", targets},
          {"lora_dropout", 0.0},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"use_rslora", false},
          {"use_dora", false},
          {"init_lora_weights", true},
          {"inference_mode", true}};
}

// Diffusers takes alpha for the rank where a file says nothing: the weight goes into B.
WeightMap DiffusersWeights(const Lora& lora) {
  WeightMap weights;
  for (const auto& [name, tensor] : lora.weights) {
    const auto module = DiffusersDitModule(LoraMatrix(name).value());
    if (!module) continue;
    const bool is_a = name.ends_with(kLoraA);
    weights["transformer." + *module + std::string(is_a ? kLoraA : kLoraB)] =
        is_a ? tensor : tensor * lora.scale;
  }
  return weights;
}

}  // namespace

Lora ReadAdapter(const fs::path& path, const DitOptions& dit) {
  const Source source = SourceOf(path);
  const WeightFile file = OpenWeights(source.file);
  std::map<Factor, WeightMap> factors = SplitFactors(file.tensors, source.file);
  const std::string where = source.file.string();
  for (auto& [factor, tensors] : factors) tensors = OriginalDitNames(tensors, where);
  const std::map<std::string, double> scales =
      ScalesOf(factors[Factor::kA], factors[Factor::kAlpha], ScalingOf(source, file), source.file);
  const double usual = scales.begin()->second;
  const bool is_one = std::ranges::all_of(scales, [&](const auto& s) { return s.second == usual; });
  Lora lora{.scale = is_one ? usual : 1};
  for (const auto& [weight, tensor] : factors[Factor::kA])
    lora.weights[MatrixOf(weight) + std::string(kLoraA)] = tensor;
  for (const auto& [weight, tensor] : factors[Factor::kB]) {
    const auto scale = scales.find(weight);
    const bool is_scaled = !is_one && scale != scales.end();
    lora.weights[MatrixOf(weight) + std::string(kLoraB)] =
        is_scaled ? tensor.to(at::kFloat) * scale->second : tensor;
  }
  CheckLora(dit, lora, where);
  lora.weights = LoadWeights(lora.weights, at::kFloat, c10::Device(c10::kCPU), where);
  return lora;
}

void WriteAdapter(const fs::path& folder, const Lora& lora) {
  WeightMap peft;
  for (const auto& [name, tensor] : lora.weights) peft["base_model.model." + name] = tensor;
  const WeightMap diffusers = DiffusersWeights(lora);
  WriteFolderAtomic(folder, [&](const fs::path& place) {
    WriteSafetensors(place / kPeftFile, peft, {{"format", "pt"}});
    WriteFileAtomic(place / kPeftConfig, PeftConfig(lora).dump(2) + "\n");
    if (!diffusers.empty()) WriteSafetensors(place / kDiffusersFile, diffusers, {{"format", "pt"}});
  });
}

std::vector<std::string> AdaptersOf(const fs::path& bundle) {
  std::vector<std::string> names;
  if (!fs::is_directory(bundle / kAdapterFolder)) return names;
  for (const auto& entry : fs::directory_iterator(bundle / kAdapterFolder)) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

std::optional<fs::path> FindAdapter(const fs::path& bundle, const BundleConfig& config,
                                    const std::string& asked) {
  const std::string name = asked.empty() ? config.adapter : asked;
  if (name.empty() || name == "none") return std::nullopt;
  const std::vector<std::string> own = AdaptersOf(bundle);
  if (std::ranges::find(own, name) != own.end()) return bundle / kAdapterFolder / name;
  if (!asked.empty() && fs::exists(asked)) return fs::path(asked);
  throw InputError(
      {.where = asked.empty() ? (bundle / "model.toml").string() + ": adapter" : "--adapter",
       .got = Excerpt(name),
       .expected = own.empty()
                       ? "a folder or file: " + bundle.string() + " has none"
                       : "one of " + bundle.string() + ": " + Join(own) + "; or a folder or file",
       .fix = ""});
}

nlohmann::json ToJson(const AdapterMergeReport& report) {
  return {{"bundle", report.bundle},
          {"adapter", report.adapter},
          {"num_matrices", report.num_matrices}};
}

AdapterMergeReport RunAdapterMerge(const AdapterMergeOptions& options, RunContext& run) {
  if (run.out().empty()) {
    throw ConfigError(
        {.where = "--out", .got = "not given", .expected = "the new bundle's folder", .fix = ""});
  }
  if (options.dtype == StorageDtype::kFp8) {
    throw ConfigError({.where = "--dtype",
                       .got = "fp8",
                       .expected = "f32, f16, bf16 or keep",
                       .fix = "convert the merged network with aim-model convert --dtype fp8"});
  }
  BundleConfig config = LoadBundleConfig(options.model);
  const auto found = FindAdapter(options.model, config, options.adapter);
  if (!found) {
    throw ConfigError({.where = "--adapter",
                       .got = options.adapter.empty() ? "not given" : "none",
                       .expected = "the adapter to add",
                       .fix = options.model + " is used without one"});
  }
  Lora lora = ReadAdapter(*found, config.dit);
  lora.scale *= options.weight;
  run.PrepareOutFolder(OutUse::kNew);
  const WeightMap stored = OpenDit(options.model, config);
  const at::ScalarType dtype =
      ScalarTypeOf(options.dtype).value_or(stored.begin()->second.scalar_type());
  WeightMap merged;
  for (const auto& [name, weight] : stored)
    merged[name] = MergedWeight(name, weight.to(at::kFloat), lora);
  WriteBundle(run.out(), config, merged, options.model, dtype);
  run.CommitOut();
  return {.bundle = run.out().string(),
          .adapter = found->string(),
          .num_matrices = std::ssize(lora.weights) / 2};
}

}  // namespace aim
