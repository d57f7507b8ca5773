// A pipeline folder of Diffusers: its configuration files as the options of this library.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "aim/model/dit_options.h"
#include "aim/model/wan_vae_options.h"
#include "aim/recipe/sampling_options.h"
#include "aim/text/umt5.h"

namespace aim {

// How the pipeline samples. docs/reference/wan22.md 5.2.
struct DiffusersScheduler {
  SamplerKind kind = SamplerKind::kUnipc;
  double shift = 5.0;  // timestep shift
  SigmaSpacing spacing = SigmaSpacing::kShifted;
  double sigma_terminal = 0.0;  // noise level of the last step; 0 = what the shift makes of it
};

struct DiffusersFolder {
  DitOptions dit;
  WanVaeOptions vae;
  Umt5Options text;
  DiffusersScheduler scheduler;
  // Weight files as OpenWeights reads them: one file, or the index of several.
  std::filesystem::path dit_weights;
  std::filesystem::path vae_weights;
  std::filesystem::path text_weights;
  std::filesystem::path tokenizer;  // a folder; empty if the pipeline has none
  // Sentences about what of the scheduler could not be kept; empty as a rule.
  std::vector<std::string> notes;
};

// Reads model_index.json and the configuration files of transformer/, vae/, text_encoder/ and, if
// they exist, scheduler/ and tokenizer/. Sizes are free; a key that a file leaves out has the
// default of its class in Diffusers 0.42 or Transformers 5. Cameras are on if the transformer's
// weights hold blocks.0.cam_encoder.2.weight (docs/reference/method.md 3.3): features are its
// columns, pooling is 16 x 16 as released, seen from the first camera in axes that point left, up
// and forward, and the projector is there if its weights are. `expand_timesteps` (the first
// frame given at timestep 0) becomes dit.timestep_mode = TimestepMode::kGivenZero.
//
// Throws InputError naming file and key for what is missing and for whatever the classes here
// cannot compute (image conditioning, a second transformer, other norms, ungated T5, ...);
// FormatError for a file that is no JSON object. A scheduler of another kind is no error: it says
// how to sample, not what the model is.
DiffusersFolder ReadDiffusersFolder(const std::filesystem::path& path);

}  // namespace aim
