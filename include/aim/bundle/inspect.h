// What a model bundle, a pipeline folder or a weight file holds, in one JSON object.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace aim {

// A bundle:       {"kind": "bundle", "path", "config": model.toml, "parameters", "files": {name:
//                 {"bytes", "tensors", "scaled" (how many of them are matrices of eight bits),
//                 "parameters", "fingerprint"}}, "fp8": {"blocks", "matrices", "parameters"} (what
//                 --dtype fp8 multiplies in eight bits; null where it is refused)}
// A pipeline of Diffusers (a folder with model_index.json):
//                 {"kind": "diffusers pipeline", "path", "class", "parameters", "notes", "parts":
//                 {name: {"class"} and, for a part with weights, "files", "bytes", "tensors" (how
//                 many), "parameters", "fingerprint", "architecture", "summary", "sizes",
//                 "dtypes"}}
// A weight file:  {"kind": "safetensors" | "safetensors shards" | "torch zip", "path", "files":
//                 [path], "bytes", "parameters", "fingerprint", "metadata", "key" (of the state
//                 dict that was taken), "other_keys", "notes", "architecture", "summary", "sizes",
//                 "dtypes": {dtype: tensors}, "tensors": [{"name", "dtype", "shape"}]}
// Fingerprints are of the tensors as they are stored, whatever the container.
// "architecture" is that of ArchitectureName, "summary" says it to people ("Wan
// DiT, 30 layers, ..."), and "sizes" are its options as model.toml would hold
// them; a file whose weights do not make sense together, or are no whole model (a shard, an
// adapter, several models), has "problem" instead, which says what to do. Files are read a tensor
// at a time: one larger than the memory is no obstacle. The weights of a bundle are checked as if
// it were to be used: names, shapes, NaN. `key` is that of OpenWeights, for a weight file. Throws
// InputError, FormatError, ConfigError.
nlohmann::json InspectModel(const std::filesystem::path& path, const std::string& key = "");

}  // namespace aim
