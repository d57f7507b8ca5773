// Adapters (LoRA) as files: PEFT's folders, Diffusers' files, and those of other trainers.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/bundle/bundle.h"
#include "aim/bundle/convert.h"
#include "aim/model/lora.h"

namespace aim {

// Where the adapters of a bundle are, each a folder that bears its name.
inline constexpr char kAdapterFolder[] = "adapters";

// Reads a folder of PEFT (adapter_model.safetensors and adapter_config.json) or Diffusers
// (pytorch_lora_weights.safetensors), or one weight file. Factors may be named lora_A and lora_B,
// lora_down and lora_up, or lora.down and lora.up, behind a matrix in any naming that
// bundle/weight_names.h knows. The weight of each is alpha / rank (alpha / sqrt(rank) with PEFT's
// use_rslora), alpha being that of adapter_config.json, the file's metadata or a tensor
// MATRIX.alpha beside the factors; without any it is 1. Throws InputError for a missing file, what
// fits no matrix of `dit`, NaN or Inf, and for what is more than two factors (DoRA, LoHa, changed
// biases).
Lora ReadAdapter(const std::filesystem::path& path, const DitOptions& dit);

// Writes a folder that PEFT reads for a model of the official module names, and Diffusers'
// load_lora_weights for its transformer; whole or not at all. Matrices that Diffusers' network does
// not have (camera encoders, projectors) are in the first of its files alone.
void WriteAdapter(const std::filesystem::path& folder, const Lora& lora);

// The adapters that lie in a bundle, by name.
std::vector<std::string> AdaptersOf(const std::filesystem::path& bundle);

// Where the adapter `asked` is: one of the bundle's, or a path; empty = the one that model.toml
// names, "none" = none. Throws InputError naming those that there are.
std::optional<std::filesystem::path> FindAdapter(const std::filesystem::path& bundle,
                                                 const BundleConfig& config,
                                                 const std::string& asked);

struct AdapterMergeOptions {
  std::string model;
  std::string adapter = {};
  double weight = 1;
  StorageDtype dtype = StorageDtype::kKeep;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("model", self.model, Any{}, "bundle whose network the adapter changes");
    visit("adapter", self.adapter, Any{},
          "adapter of the bundle by its name, or a folder or file of PEFT, Diffusers or another "
          "trainer; empty = the one that the bundle is used with");
    visit("weight", self.weight, Range{-10, 10}, "how much of it is added; 1 = as trained");
    visit("dtype", self.dtype, Any{}, "type of the network's weights");
  }
};

struct AdapterMergeReport {
  std::string bundle;
  std::string adapter;
  int64_t num_matrices = 0;  // that were changed
};
nlohmann::json ToJson(const AdapterMergeReport& report);

// aim-model merge: writes the bundle run.out(), whose network has the adapter added to its matrices
// and needs it no more. Throws ConfigError, InputError, IoError.
AdapterMergeReport RunAdapterMerge(const AdapterMergeOptions& options, RunContext& run);

}  // namespace aim
