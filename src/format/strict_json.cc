#include "aim/format/strict_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "aim/base/error.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 8;

[[noreturn]] void Fail(const std::string& where, const std::string& got,
                       const std::string& expected) {
  throw FormatError({.where = where, .got = got, .expected = expected, .fix = ""});
}

}  // namespace

json ParseJsonObject(std::string_view text, const std::string& where) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kMaxDepth) Fail(where, "nested deeper than 8 levels", "a flat JSON object");
    const size_t level = static_cast<size_t>(depth);
    if (event == json::parse_event_t::object_start) {
      keys.resize(std::max(keys.size(), level + 2));
      keys[level + 1].clear();
    } else if (event == json::parse_event_t::key) {
      const std::string key = parsed.get<std::string>();
      if (!keys[level].insert(key).second) {
        Fail(where + ": key " + key, "named twice", "one entry a name");
      }
    }
    return true;
  };
  try {
    json object = json::parse(text, watch);
    if (object.is_object()) return object;
  } catch (const json::exception&) {
    // Reported below, together with valid JSON that is no object.
  }
  Fail(where, "not a JSON object", "an object of names");
}

}  // namespace aim
