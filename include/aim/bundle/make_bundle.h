// aim-model bundle: weight files of others become a model folder.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/bundle/convert.h"

namespace aim {

struct MakeBundleOptions {
  std::string dit;
  std::string vae;
  std::string text;
  std::string tokenizer;
  std::string from_diffusers;
  std::string key;
  std::string vae_key;
  std::string text_key;
  bool link = false;
  StorageDtype dtype = StorageDtype::kKeep;
  int num_heads = 0;
  double fps = 0;
  int image_height = 0;
  int image_width = 0;
  int num_frames = 0;
  int num_views = 0;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("dit", self.dit, Any{}, "weights of the network: file, index or folder of shards");
    visit("vae", self.vae, Any{}, "weights of the autoencoder");
    visit("text", self.text, Any{}, "weights of the text encoder");
    visit("tokenizer", self.tokenizer, Any{},
          "tokenizer.json or SentencePiece model, or its folder");
    visit("from_diffusers", self.from_diffusers, Any{},
          "Diffusers pipeline folder, in place of the four above");
    visit("key", self.key, Any{},
          "which weights of a --dit file that holds several, such as ema; empty: the usual ones");
    visit("vae_key", self.vae_key, Any{}, "the same of the --vae file");
    visit("text_key", self.text_key, Any{}, "the same of the --text file");
    visit("link", self.link, Any{}, "refer to the files where they are instead of copying them");
    visit("dtype", self.dtype, Any{}, "type of the copied weights");
    visit("num_heads", self.num_heads, Range{0, 256}, "attention heads; 0 = one for 128 channels");
    visit("fps", self.fps, Range{0, 1000}, "frames a second the model was trained at; 0 = its own");
    visit("image_height", self.image_height, Range{0, 8192}, "pixels; 0 = its own");
    visit("image_width", self.image_width, Range{0, 8192}, "pixels; 0 = its own");
    visit("num_frames", self.num_frames, Range{0, 4097}, "frames a clip; 0 = its own");
    visit("num_views", self.num_views, Range{0, 16}, "cameras a clip; 0 = its own");
  }
  void Validate() const;  // throws ConfigError
};

// Reads the architecture off the configuration files (Diffusers) or the weights themselves, checks
// every name and shape, and writes the bundle run.out(), whole or not at all: weights under their
// original names as safetensors, one tensor in memory at a time, or links. A network with camera
// encoders is taken for an Action Images model (512 x 512, 41 frames at 5 Hz, 2 views, all modes
// but a2v; Euler, 50 steps, shift 5, guidance 7.5; prompts cleaned as in its training), another for
// a Wan video model (i2v from one view; UniPC; prompts as in Wan's pipeline). Notes say what of the
// files was not taken. Returns {"path", "preset", "parameters", "bytes", "notes"}. Throws
// InputError, ConfigError, IoError.
nlohmann::json RunMakeBundle(const MakeBundleOptions& options, RunContext& run);

}  // namespace aim
