// One weight, many names: checkpoints of other libraries in the names of the official ones.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aim/tensor/weights.h"

namespace aim {

// Each returns the same tensors under their original names: those of the official DiT
// (docs/reference/wan22.md 2.6, docs/reference/method.md 3.3), VAE (3.6, 3.9; both generations) and
// UMT5 encoder (4.5). Accepted are original names, those of Diffusers (DiT and VAE) and of Hugging
// Face (UMT5), and any of them behind what programs put before them: usual words such as "model.",
// "diffusion_model.", "pipe.dit." (the list is in bare_names.cc; repeated ones too), wrappers of
// trainers anywhere ("module.", "_orig_mod.", "_fsdp_wrapped_module."), and any other words that
// all names share. How many blocks there are is read from the names. An unknown name stays as it
// is, so that CheckWeights can report it.
//
// `where` names the file in errors. Throws InputError naming both if two names mean one weight; a
// copy of the token embedding as `encoder.embed_tokens.weight` beside `shared.weight` is dropped if
// it holds the same values. Of a UMT5 file the decoder, the head and the tokenizer are left out.
WeightMap OriginalDitNames(const WeightMap& weights, const std::string& where = "weights");
WeightMap OriginalVaeNames(const WeightMap& weights, const std::string& where = "weights");
WeightMap OriginalUmt5Names(const WeightMap& weights, const std::string& where = "weights");

// What Diffusers calls the module "blocks.3.self_attn.q"; nothing for one that its network lacks.
std::optional<std::string> DiffusersDitModule(const std::string& original);

// Names, as they are stored, of what OriginalUmt5Names leaves out of a file, but for that copy.
std::vector<std::string> BesideUmt5Encoder(const WeightMap& weights);

enum class Architecture { kUnknown, kDit, kVae22, kVae21, kUmt5, kPca };

// What a weight file with these names (any of the above) belongs to, by a few names that only one
// architecture has: an incomplete file is recognised too. Unknown if they belong to several.
Architecture DetectArchitecture(const WeightMap& weights);

// The models of an all-in-one file: what their names begin with, and what they are; empty if it
// holds one. What all names share stands before each.
std::map<std::string, Architecture> ModelsIn(const WeightMap& weights);

// "wan_dit", "wan_vae_2.2", "wan_vae_2.1", "umt5_encoder", "pca_autoencoder", "unknown".
std::string ArchitectureName(Architecture architecture);

// OriginalDitNames, OriginalVaeNames or OriginalUmt5Names as `architecture` asks; others unchanged.
WeightMap OriginalNames(const WeightMap& weights, Architecture architecture,
                        const std::string& where = "weights");

}  // namespace aim
