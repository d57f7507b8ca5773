#include "aim/base/run_settings.h"

#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"

namespace aim {

std::optional<SettingChange> FirstChange(const nlohmann::json& before, const nlohmann::json& now) {
  const auto shown = [](const nlohmann::json& settings, const std::string& key) {
    const auto found = settings.find(key);
    return found == settings.end() ? std::string("nothing") : DumpJson(*found);
  };
  for (const nlohmann::json* settings : {&now, &before}) {
    for (const auto& [key, value] : settings->items()) {
      if (now.contains(key) && before.contains(key) && now.at(key) == before.at(key)) continue;
      return SettingChange{.key = key, .now = shown(now, key), .before = shown(before, key)};
    }
  }
  return std::nullopt;
}

void KeepSettings(const std::filesystem::path& file, const nlohmann::json& settings) {
  if (!std::filesystem::exists(file)) {
    WriteFileAtomic(file, DumpJson(settings, 2) + "\n");
    return;
  }
  const nlohmann::json before = ParseJson(ReadFile(file));
  if (!before.is_object()) {
    throw FormatError({.where = file.string(),
                       .got = "damaged",
                       .expected = "the settings of the run to go on with",
                       .fix = "start over with --overwrite"});
  }
  const std::optional<SettingChange> change = FirstChange(before, settings);
  if (!change) return;
  throw ConfigError(
      {.where = change->key,
       .got = change->now,
       .expected = change->before + ", as in the run to go on with (" + file.string() + ")",
       .fix = "choose another --out or start over with --overwrite"});
}

}  // namespace aim
