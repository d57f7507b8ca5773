// What a run was begun with, kept beside its results so that --resume goes on with the same.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace aim {

// A key that two settings have otherwise; "nothing" where one of them lacks it.
struct SettingChange {
  std::string key;
  std::string now;
  std::string before;
};
// The first one, if they differ. Both are objects.
std::optional<SettingChange> FirstChange(const nlohmann::json& before, const nlohmann::json& now);

// Writes `settings` (an object of keys) to `file` if there is none. If there is one, both must
// have the same keys and values. Throws ConfigError naming the first key that differs, what it
// is now and was then; FormatError if the file is damaged.
void KeepSettings(const std::filesystem::path& file, const nlohmann::json& settings);

}  // namespace aim
