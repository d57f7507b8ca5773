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

// Of the floating-point weights in a file.
enum class StorageDtype { kKeep, kF32, kF16, kBf16, kFp8 };
constexpr auto WordsOf(StorageDtype) {
  using enum StorageDtype;
  return WordTable<StorageDtype, 5>{
      {{kKeep, "keep"}, {kF32, "f32"}, {kF16, "f16"}, {kBf16, "bf16"}, {kFp8, "fp8"}}};
}
// Nothing for kKeep, and for kFp8, which is of some weights only (scaled_weights.h).
std::optional<at::ScalarType> ScalarTypeOf(StorageDtype dtype);

enum class WeightNaming { kOriginal, kKeep };
constexpr auto WordsOf(WeightNaming) {
  using enum WeightNaming;
  return WordTable<WeightNaming, 2>{{{kOriginal, "original"}, {kKeep, "keep"}}};
}

struct ConvertOptions {
  std::string source;
  std::string destination;
  std::string key;
  StorageDtype dtype = StorageDtype::kKeep;
  WeightNaming names = WeightNaming::kOriginal;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("source", self.source, Any{},
          "weights: safetensors, an index or folder of shards, or a torch zip (.pth, .ckpt)");
    visit("destination", self.destination, Any{}, "safetensors file to write");
    visit("key", self.key, Any{},
          "which weights of a file that holds several: a key of a torch file (ema), or what names "
          "begin with (first_stage_model); empty: the usual ones");
    visit(
        "dtype", self.dtype, Any{},
        "type of the floating-point weights; fp8: of the network's large matrices, all else as it "
        "is");
    visit("names", self.names, Any{},
          "original: names of the official checkpoint in place of Diffusers' or Hugging Face's");
  }
};

// Writes `weights` (mapped, as OpenWeights returns them) as one safetensors file, floating-point
// ones as `dtype` if one is given. One converted weight is in memory at a time. Atomic. Throws
// InputError, naming `where`, that lists every weight with NaN or Inf and every weight that `dtype`
// cannot hold (beyond 65504 for float16); then nothing is written.
void StreamWeights(const std::filesystem::path& path, const WeightMap& weights,
                   std::optional<at::ScalarType> dtype, const Metadata& metadata,
                   const std::string& where, Progress& progress);

// Converts and returns {"path", "architecture", "tensors", "parameters", "bytes", "dtypes": {name:
// count}, "notes": [what of the file was not taken]}; the run's record goes beside the destination,
// which is the run's output. An existing destination is refused unless --overwrite was given, and
// --out altogether. Throws ConfigError, InputError (as above; a file that is not recognised or of
// which no model can be made, unless names are kept; two names of one weight), IoError.
nlohmann::json RunConvert(const ConvertOptions& options, RunContext& run);

}  // namespace aim
