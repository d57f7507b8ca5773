// What a run was begun with, kept beside its results so that --resume goes on with the same.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace aim {

// Writes `settings` (an object of keys) to `file` if there is none. If there is one, every key must
// have the value that it has there. Throws ConfigError naming the first key that differs, what it
// is now and was then; FormatError if the file is damaged.
void KeepSettings(const std::filesystem::path& file, const nlohmann::json& settings);

}  // namespace aim
