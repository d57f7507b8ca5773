// aim-model convert: any weight file as safetensors, under one naming, in one type.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/tensor/safetensors.h"
#include "aim/tensor/weights.h"

namespace aim {

struct ConvertOptions {
  std::string source;
  std::string destination;
  std::string dtype = "keep";
  std::string names = "original";

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("source", self.source, Any{},
          "weights: safetensors, an index or folder of shards, or a torch zip (.pth, .ckpt)");
    visit("destination", self.destination, Any{}, "safetensors file to write");
    visit("dtype", self.dtype, Limits{"keep", "f32", "f16", "bf16"},
          "type of the floating-point weights");
    visit("names", self.names, Limits{"original", "keep"},
          "original: names of the official checkpoint in place of Diffusers' or Hugging Face's");
  }
};

// "f32", "f16", "bf16"; nothing for "keep". Throws ConfigError naming `where` for another word.
std::optional<at::ScalarType> ParseStorageType(const std::string& name,
                                               const std::string& where = "--dtype");

// Writes `weights` (mapped, as OpenWeights returns them) as one safetensors file, floating-point
// ones as `dtype` if one is given. One converted weight is in memory at a time. Atomic. Throws
// InputError, naming `where`, that lists every weight with NaN or Inf and every weight that `dtype`
// cannot hold (beyond 65504 for float16); then nothing is written.
void StreamWeights(const std::filesystem::path& path, const WeightMap& weights,
                   std::optional<at::ScalarType> dtype, const Metadata& metadata,
                   const std::string& where, Progress& progress);

// Converts and returns {"path", "architecture", "tensors", "parameters", "bytes", "dtypes": {name:
// count}}; the run's record goes beside the destination, which is the run's output. An existing
// destination is refused unless --overwrite was given, and --out altogether. Throws ConfigError,
// InputError (as above; a file that is not recognised, unless names are kept; two names of one
// weight), IoError.
nlohmann::json RunConvert(const ConvertOptions& options, RunContext& run);

}  // namespace aim
