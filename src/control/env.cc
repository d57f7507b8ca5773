#include "aim/control/env.h"

#include <nlohmann/json.hpp>

namespace aim {

nlohmann::json ToJson(const EnvIdentity& identity) {
  nlohmann::json settings = identity.settings;
  settings["simulator"] = identity.simulator;
  return settings;
}

}  // namespace aim
