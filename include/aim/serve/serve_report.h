// What a policy server did.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "aim/wire/policy_message.h"

namespace aim {

struct ServeReport {
  int64_t clients = 0;       // that spoke with it
  int64_t open_clients = 0;  // that still do
  int64_t requests = 0;      // plans that were asked for
  int64_t plans = 0;         // that were sent
  int64_t batches = 0;       // times that plans were made, several together or one
  int64_t repeated = 0;      // answered from the store: the same request again
  int64_t waiting = 0;       // not answered yet
  std::array<int64_t, WordsOf(FaultCode()).size()> faults = {};  // by FaultCode
  double plan_s = 0;                                             // planning, all in all
  double longest_plan_s = 0;

  int64_t& faults_of(FaultCode code) { return faults.at(static_cast<size_t>(code)); }
};

nlohmann::json ToJson(const ServeReport& report);

// As Prometheus reads it.
std::string MetricsText(const ServeReport& report);

}  // namespace aim
