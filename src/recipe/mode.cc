#include "aim/recipe/mode.h"

#include <algorithm>

#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {

const std::vector<Mode>& AllModes() {
  using enum Given;
  static const std::vector<Mode> modes = {
      {.name = "i2a",
       .video = {true, true, kAll},
       .action = {true, false, kFirst},
       .first_view_video = kAll,
       .job = "act: first frames -> actions",
       .training_share = 0.6},
      {.name = "i2va",
       .video = {true, false, kFirst},
       .action = {true, false, kFirst},
       .first_view_video = kFirst,
       .job = "imagine and act: first frames -> video and actions",
       .training_share = 0.1},
      {.name = "v2a",
       .video = {true, false, kAll},
       .action = {true, false, kFirst},
       .first_view_video = kAll,
       .job = "label: video -> actions",
       .training_share = 0.2,
       .first_pose_optional = true},
      {.name = "a2v",
       .video = {true, false, kFirst},
       .action = {true, false, kAll},
       .first_view_video = kFirst,
       .job = "simulate: first frames and actions -> video",
       .training_share = 0.05},
      {.name = "i2v",
       .video = {true, false, kFirst},
       .action = {false, false, kNone},
       .first_view_video = kFirst,
       .job = "imagine: first frames -> video",
       .training_share = 0.05},
      {.name = "v1_given",
       .video = {true, false, kFirst},
       .action = {true, false, kFirst},
       .first_view_video = kAll,
       .job = "view 0's video -> the other views and actions"},
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
