// What a client of this project's own extension of openpi's wire writes and reads.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "aim/codec/clip.h"
#include "aim/control/policy.h"
#include "aim/wire/policy_message.h"

namespace aim {

struct RequestIds {
  std::string request_id;
  std::string episode_id;
};

// `seen` as Policy::Act takes it. Throws InputError for a pose that is none.
std::string PlanMessage(const Clip& seen, const PlanRequest& request, const RequestIds& ids);
std::string ResetMessage(uint64_t seed, const RequestIds& ids);

// What a server says of itself. Throws FormatError if it is none of ours, or of another major
// version.
ServedPolicy ReadGreeting(std::string_view message);

// What came for a request.
struct ServerAnswer {
  std::optional<PolicyFault> fault;
  Plan plan;  // empty for a fault, and for what is no plan
};

// Nothing for the answer to another request. `present` is the pose that was sent, the plan's frame
// 0. Throws FormatError.
std::optional<ServerAnswer> ReadAnswer(std::string_view message, const std::string& request_id,
                                       const ToolPose& present);

}  // namespace aim
