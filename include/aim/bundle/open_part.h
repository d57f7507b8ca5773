// The weight file of one part of a model, under its original names; and files that are none.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "aim/bundle/weight_names.h"
#include "aim/tensor/weight_file.h"

namespace aim {

// Why no part of a model can be made of a file, and what to do.
struct Unusable {
  std::string what;  // "an adapter (LoRA) of 4 matrices"
  std::string fix;
};

// Of a lone shard, an all-in-one file, an adapter, or quantised weights with scales beside them but
// for a network's of scaled_weights.h; nothing for any other file, an unknown one too.
std::optional<Unusable> WhyUnusable(const WeightFile& file);

// Sentences about what of the file was not taken: other state dicts, and of a UMT5 file what is not
// its encoder.
std::vector<std::string> NotesOn(const WeightFile& file, Architecture architecture,
                                 const std::string& where);

struct OpenedPart {
  WeightMap weights;
  Architecture architecture = Architecture::kUnknown;
  std::vector<std::string> notes;  // NotesOn
};

// OriginalNames of the file. Without `architecture` it is found by the names. Throws InputError as
// that does, and for a file of which WhyUnusable says something.
OpenedPart UsablePart(const WeightFile& file, const std::string& where,
                      std::optional<Architecture> architecture = std::nullopt);

// The same for a file yet to be opened; `key` is that of OpenWeights.
OpenedPart OpenPart(const std::filesystem::path& path,
                    std::optional<Architecture> architecture = std::nullopt,
                    const std::string& key = "");

}  // namespace aim
