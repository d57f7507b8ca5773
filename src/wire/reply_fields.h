// The parts of a reply that several wires have in common.
#pragma once

#include <string>
#include <string_view>

#include "aim/format/msgpack.h"
#include "aim/wire/policy_message.h"
#include "aim/wire/wire.h"

namespace aim {

// A binary message of a map.
WireFrame BinaryFrame(MsgpackValue map);

// What openpi's clients know as an error: text, and the end of the connection.
WireFrame ClosingTextFrame(const PolicyFault& fault);

// [N, 7], row by row: x y z, extrinsic xyz angles, and 1 for a closed gripper.
std::vector<float> CartesianActions(const PolicyReply& reply);

// What RoboArena's clients are told of the pictures and poses that a policy wants, those keys
// alone.
MsgpackValue::Map RoboArenaConfig(const ServedPolicy& policy);

// A request of RoboArena's keys: `endpoint` infer (also if it is missing) or reset.
void ReadRoboArenaRequest(std::string_view message, PolicyRequest& request);

}  // namespace aim
