#include <cmath>
#include <sstream>

#include "aim/base/atomic_file.h"
#include "aim/base/options.h"

#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace aim {
namespace {

nlohmann::json ToJson(const toml::node& node) {
  if (const toml::table* table = node.as_table()) {
    nlohmann::json object = nlohmann::json::object();
    for (const auto& [key, value] : *table) object[std::string(key.str())] = ToJson(value);
    return object;
  }
  if (const toml::array* list = node.as_array()) {
    nlohmann::json array = nlohmann::json::array();
    for (const toml::node& value : *list) array.push_back(ToJson(value));
    return array;
  }
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* value = node.as_integer()) return value->get();
  if (const auto* value = node.as_floating_point()) return value->get();
  if (const auto* value = node.as_boolean()) return value->get();
  std::ostringstream date;
  node.visit([&](const auto& value) {
    if constexpr (toml::is_date<decltype(value)> || toml::is_time<decltype(value)> ||
                  toml::is_date_time<decltype(value)>) {
      date << value.get();
    }
  });
  return date.str();
}

}  // namespace

nlohmann::json ReadToml(const std::filesystem::path& path) {
  const std::string text = ReadFile(path);
  try {
    return ToJson(toml::parse(text));
  } catch (const toml::parse_error& error) {
    throw FormatError({path.string() + ", line " + std::to_string(error.source().begin.line),
                       "not valid TOML (" + std::string(error.description()) + ")", "a TOML file",
                       ""});
  }
}

}  // namespace aim
