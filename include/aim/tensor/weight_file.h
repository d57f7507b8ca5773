// Weight files of any layout, told apart by their content: safetensors, alone or in shards, and
// what torch.save writes since version 1.6. docs/reference/wan22.md 7.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "aim/tensor/safetensors.h"
#include "aim/tensor/weights.h"

namespace aim {

struct WeightFile {
  WeightMap tensors;   // mapped: pages are read when a tensor is, nothing was copied
  Metadata metadata;   // of safetensors; shards are merged, the first one's word counts
  std::string format;  // "safetensors", "safetensors shards" or "torch zip"
  std::vector<std::filesystem::path> files;  // that hold the tensors, sorted
  std::string key = {};  // of the state dict in a torch zip, or what names began with; may be empty
  std::vector<std::string> other_keys = {};  // of state dicts as large that were not taken
  bool is_lone_shard = false;                // one of several files, by its name
};

// Opens a .safetensors, a torch zip (.pth, .ckpt, .pt, .bin), a *.index.json that names shards of
// either, or a folder that holds one of these or a complete set of shards. What the file is called
// does not matter. Tensors point into private mappings that live as long as any of them; those of a
// torch zip may be strided views of one storage. Nothing in a torch zip is ever executed: a pickle
// that asks for anything but tensors and plain values is refused with the name it asks for.
//
// The bytes of safetensors and the records of a torch zip are not read here, except the torch zip's
// pickle, whose CRC is checked; CheckRecords and LoadWeights check those of the records.
//
// Of a torch zip that holds several state dicts the one that `key` names is taken ("ema"), without
// one a usual one (torch_zip.h). Of any other file `key` takes the tensors whose names begin with
// it, and drops that beginning: "first_stage_model" of an all-in-one file.
//
// Throws InputError if a file is missing (every missing shard is listed), unreadable or ambiguous,
// or has nothing under `key`; FormatError naming file and record or tensor if its bytes break the
// format.
WeightFile OpenWeights(const std::filesystem::path& path, const std::string& key = "");

// The parts of names before their first dot, each once, sorted.
std::vector<std::string> FirstParts(const WeightMap& tensors);

// Reads every mapped tensor once and compares its record with the CRC that the torch zip holds;
// safetensors and tensors in memory have none and pass unread. Gives pages back as it goes. Throws
// FormatError naming the first damaged record.
void CheckRecords(const WeightMap& mapped);

// The weights ready for work: floating-point ones as `dtype`, all contiguous and on `device`. One
// tensor at a time is checked for NaN and Inf, its record's CRC compared, cast or copied, and its
// mapped pages given back, so that host memory peaks at the result plus the largest tensor. A
// tensor that is contiguous and fits already is shared, not copied: it stays mapped, its pages are
// the system's file cache and count for nobody; clone() it to own it. Values written to a mapped
// tensor before the call may be lost by it.
//
// Throws one InputError that lists every weight holding NaN or Inf, or a value that `dtype` cannot
// hold (beyond 65504 for float16); FormatError for a wrong CRC. `where` names the file.
WeightMap LoadWeights(const WeightMap& mapped, at::ScalarType dtype, c10::Device device,
                      const std::string& where);

}  // namespace aim
