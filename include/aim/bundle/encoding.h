// What decides how a model's clips are encoded: two models that agree in it can share latents.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "aim/bundle/bundle.h"

namespace aim {

// Options and weights of a bundle's encoders, by name: "camera", "patch", "autoencoder", "text",
// "action_image", "num_frames", "num_views", "image" (width and height), "autoencoder_weights" and,
// where text is encoded by weights, "text_weights" (fingerprints). Names of files are no part of
// it. `path` needs no network in it. Reads the autoencoder's weights once.
nlohmann::json EncodingOf(const std::filesystem::path& path, const BundleConfig& config);

// The same without "text_weights" for a config of hashed words and weights at hand.
nlohmann::json EncodingOf(const BundleConfig& config, const WeightMap& autoencoder);

// Throws ConfigError, naming `where` and the first key that differs, unless both are equal.
void RequireSameEncoding(const nlohmann::json& encoding, const nlohmann::json& expected,
                         const std::string& where);

// Leaves at `path` a bundle of these encoders (WriteEncoders): what is there stays if it encodes
// so, else `write(path)` makes it. Several processes may ask at once.
void KeepEncoders(const std::filesystem::path& path, const nlohmann::json& encoding,
                  const std::function<void(const std::filesystem::path&)>& write);

}  // namespace aim
