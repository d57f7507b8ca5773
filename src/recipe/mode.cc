#include "aim/recipe/mode.h"

#include <algorithm>

#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {

const std::vector<Mode>& AllModes() {
  using enum Given;
  static const std::vector<Mode> modes = {
      {"i2va",
       {true, false, kFirst},
       {true, false, kFirst},
       kFirst,
       "imagine and act: first frames -> video and actions"},
      {"i2a", {true, true, kAll}, {true, false, kFirst}, kAll, "act: first frames -> actions"},
      {"v2a", {true, false, kAll}, {true, false, kFirst}, kAll, "label: video -> actions"},
      {"a2v",
       {true, false, kFirst},
       {true, false, kAll},
       kFirst,
       "simulate: first frames and actions -> video"},
      {"i2v",
       {true, false, kFirst},
       {false, false, kNone},
       kFirst,
       "imagine: first frames -> video"},
      {"v1_given",
       {true, false, kFirst},
       {true, false, kFirst},
       kAll,
       "view 0's video -> the other views and actions"},
  };
  return modes;
}

const Mode& FindMode(const std::string& name) {
  std::vector<std::string> names;
  for (const Mode& mode : AllModes()) {
    if (mode.name == name) return mode;
    names.push_back(mode.name);
  }
  throw ConfigError({"mode", "\"" + name + "\"", "one of " + Join(names), ""});
}

void CheckTrained(const std::string& name, const std::vector<std::string>& trained,
                  bool allow_untrained) {
  FindMode(name);
  if (allow_untrained || std::find(trained.begin(), trained.end(), name) != trained.end()) return;
  throw ConfigError({"mode", "\"" + name + "\", which this model was not trained for",
                     "one of its modes: " + Join(trained), "pass --allow-untrained to try anyway"});
}

}  // namespace aim
