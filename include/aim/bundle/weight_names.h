// One weight, many names: checkpoints of other libraries in the names of the official ones.
#pragma once

#include <string>

#include "aim/tensor/weights.h"

namespace aim {

// Each returns the same tensors under their original names: those of the official DiT
// (docs/reference/wan22.md 2.6, docs/reference/method.md 3.3), VAE (3.6, 3.9; both generations) and
// UMT5 encoder (4.5). Accepted are original names, those of Diffusers (DiT and VAE) and of Hugging
// Face (UMT5), and any of them behind the prefixes "model.", "diffusion_model.",
// "first_stage_model.", "vae.", "text_encoder." (repeated ones too). How many blocks there are is
// read from the names. An unknown name stays as it is, so that CheckWeights can report it.
//
// `where` names the file in errors. Throws InputError naming both if two names mean one weight; a
// copy of the token embedding as `encoder.embed_tokens.weight` beside `shared.weight` is dropped if
// it holds the same values.
WeightMap OriginalDitNames(const WeightMap& weights, const std::string& where = "weights");
WeightMap OriginalVaeNames(const WeightMap& weights, const std::string& where = "weights");
WeightMap OriginalUmt5Names(const WeightMap& weights, const std::string& where = "weights");

enum class Architecture { kUnknown, kDit, kVae22, kVae21, kUmt5, kPca };

// What a weight file with these names (any of the above) belongs to, by a few names that only one
// architecture has: an incomplete file is recognised too.
Architecture DetectArchitecture(const WeightMap& weights);

// "wan_dit", "wan_vae_2.2", "wan_vae_2.1", "umt5_encoder", "pca_autoencoder", "unknown".
std::string ArchitectureName(Architecture architecture);

// OriginalDitNames, OriginalVaeNames or OriginalUmt5Names as `architecture` asks; others unchanged.
WeightMap OriginalNames(const WeightMap& weights, Architecture architecture,
                        const std::string& where = "weights");

}  // namespace aim
