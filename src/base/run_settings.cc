#include "aim/base/run_settings.h"

#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"

namespace aim {

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
  for (const auto& [key, value] : settings.items()) {
    const auto found = before.find(key);
    if (found != before.end() && *found == value) continue;
    throw ConfigError({.where = key,
                       .got = DumpJson(value),
                       .expected = (found != before.end() ? DumpJson(*found) : "nothing") +
                                   ", as in the run to go on with (" + file.string() + ")",
                       .fix = "choose another --out or start over with --overwrite"});
  }
}

}  // namespace aim
