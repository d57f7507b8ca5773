// What a model bundle or a weight file holds, in one JSON object.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace aim {

// A bundle:       {"kind": "bundle", "path", "config": model.toml, "parameters", "files": {name:
//                 {"bytes", "tensors", "parameters", "fingerprint"}}}
// A weight file:  {"kind": "safetensors", "path", "bytes", "parameters", "fingerprint", "metadata",
//                 "tensors": [{"name", "dtype", "shape"}]}
// Fingerprints are of the tensors as they are stored. A bundle is checked as if it were to be used.
// Throws InputError, FormatError, ConfigError.
nlohmann::json InspectModel(const std::filesystem::path& path);

}  // namespace aim
